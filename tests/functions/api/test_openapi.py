"""The published document: valid, complete, and true to what is served."""

from openapi_spec_validator import validate

from functions.api.application import ROUTES
from tests.functions.api.conftest import Api


def test_the_document_is_valid_openapi_3_1_and_has_every_route(api: Api) -> None:
    document = api.call("GET", "/openapi.json", uid="").json()

    validate(document)
    served = {(route.path, route.method.lower()) for route in ROUTES if route.path != "/openapi.json"}
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == served
