"""The JSON of the REST transport, and how requests are refused that no client library would send."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import Services

pytestmark = pytest.mark.parametrize("services", ["rest"], indirect=True)

_JSON = "protobuf.dev/programming-guides/json"
_ERRORS = "cloud.google.com/apis/design/errors, HTTP mapping"
_SYSTEM = "cloud.google.com/apis/docs/system-parameters"


@pytest.fixture
def rest(services: Services) -> Rest:
    """The REST surface, spoken to directly."""
    return Rest(services)


class Rest:
    """Requests under `/v2`, with the stock client's connection and credentials."""

    def __init__(self, services: Services) -> None:
        self.services = services
        transport = services.client.transport
        self._session = transport._session
        self._base = f"{transport._host}/v2/{services.parent}"

    def ask(self, verb: str, path: str, **options: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        answer = self._session.request(verb, f"{self._base}/{path}", timeout=60, **options)
        return answer.status_code, answer.json()

    def status(self, verb: str, path: str) -> int:
        """The status of an answer, whatever its form: Google's frontend speaks HTML."""
        return int(self._session.request(verb, f"{self._base}/{path}", timeout=60).status_code)

    def refuses(self, verb: str, path: str, **options: Any) -> tuple[int, str]:
        """Status and canonical code of a refusal."""
        status, document = self.ask(verb, path, **options)
        assert document["error"]["code"] == status
        assert document["error"]["message"]
        return status, document["error"]["status"]


@check("RUN-181", source=f"{_SYSTEM}, $alt=json;enum-encoding=int; google-cloud-run's REST transport")
def test_enums_are_numbers_when_asked_for(rest: Rest, service_id: str) -> None:
    """Enums are written by name, and as numbers for a client that asks with enum-encoding=int."""
    rest.services.create(service_id)
    _, named = rest.ask("GET", f"services/{service_id}")
    _, numbered = rest.ask("GET", f"services/{service_id}?$alt=json;enum-encoding=int")
    assert named["scaling"]["scalingMode"] == "MANUAL"
    assert numbered["scaling"]["scalingMode"] == int(run_v2.ServiceScaling.ScalingMode.MANUAL)


@check("RUN-182", source=f"{_JSON}: int64 as strings, Duration as seconds, Timestamp as RFC 3339")
def test_numbers_and_times_have_their_json_form(rest: Rest, service_id: str) -> None:
    """A generation is a string, a timeout seconds with an s, a time RFC 3339 in UTC."""
    rest.services.create(service_id)
    _, service = rest.ask("GET", f"services/{service_id}")
    assert service["generation"] == "1"
    assert service["template"]["timeout"] == "300s"
    assert service["createTime"].endswith("Z")


@check("RUN-183", source=f"{_ERRORS}; google.api.http, query parameters")
@pytest.mark.parametrize(
    "query", ["nonsense=1", "service.nonsense=1", "pageSize=many", "showDeleted=perhaps"]
)
def test_a_query_parameter_that_is_none_is_invalid(rest: Rest, query: str) -> None:
    """A query parameter that the method does not have, or a value that is not of its type, is INVALID_ARGUMENT."""
    assert rest.refuses("GET", f"services?{query}") == (400, "INVALID_ARGUMENT")


@check("RUN-184", source=f"{_SYSTEM}")
def test_system_parameters_are_taken(rest: Rest) -> None:
    """The parameters that every Google API has are accepted."""
    status, _ = rest.ask("GET", "services?prettyPrint=false&alt=json")
    assert status == 200


@check("RUN-185", source=f"{_ERRORS}; {_JSON}")
@pytest.mark.parametrize(
    "body",
    [b"{not json", b"[]", b'"text"', b"\xff\xfe", b'{"noSuchField": 1}', b'{"template": []}', b"[" * 9999],
)
def test_a_body_that_is_no_service_is_invalid(rest: Rest, service_id: str, body: bytes) -> None:
    """A body that is not JSON, or is not a service, is INVALID_ARGUMENT."""
    refusal = rest.refuses("POST", f"services?serviceId={service_id}", data=body)
    assert refusal == (400, "INVALID_ARGUMENT")


@check("RUN-186", source=f"{_JSON}, FieldMask; run/docs/reference/rest/v2/projects.locations.services/patch")
@pytest.mark.parametrize("mask", ["scaling.minInstanceCount", "scaling.min_instance_count"])
def test_a_mask_is_written_in_camel_or_snake_case(rest: Rest, service_id: str, mask: str) -> None:
    """A mask in the query is accepted with camelCase and with snake_case names."""
    service = rest.services.draft(scaling={"scaling_mode": "AUTOMATIC", "max_instance_count": 3})
    service.template.health_check_disabled = True
    rest.services.create(service_id, service)
    status, operation = rest.ask("PATCH", f"services/{service_id}?updateMask={mask}", json={"scaling": {}})
    assert status == 200
    assert operation["metadata"]["scaling"]["maxInstanceCount"] == 3


@check("RUN-187", source="google/longrunning/operations.proto; protobuf.dev, JSON of Any")
def test_an_operation_names_the_type_of_what_it_holds(rest: Rest, service_id: str) -> None:
    """An operation's metadata has the @type of the service."""
    body = run_v2.Service.to_dict(rest.services.draft(), always_print_fields_with_no_presence=False)
    status, operation = rest.ask("POST", f"services?serviceId={service_id}&validateOnly=true", json=body)
    assert status == 200
    assert operation["metadata"]["@type"] == "type.googleapis.com/google.cloud.run.v2.Service"


@check("RUN-188", source=f"{_ERRORS}: NOT_FOUND 404")
def test_a_path_that_is_none_is_not_found(rest: Rest) -> None:
    """A path that no method has is 404."""
    assert rest.status("GET", "nothings") == 404


@check(
    "RUN-190",
    source="google.api.http HttpRule.pattern: verb and path together name a method; what names none is 404: "
    "github.com/googleapis/nodejs-scheduler issue 114",
    assumed=True,
)
@pytest.mark.parametrize(
    ("verb", "path"), [("PUT", "services"), ("POST", "operations"), ("GET", "services/x:setIamPolicy")]
)
def test_a_path_with_another_verb_is_not_found(rest: Rest, verb: str, path: str) -> None:
    """A path that is a method's by another verb is 404, as Google's frontend knows no such method."""
    assert rest.status(verb, path) == 404
