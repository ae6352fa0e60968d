"""Every route against every kind of caller; a route that is not in the table cannot be served."""

import pytest

from functions.api.application import ROUTES
from functions.http.routes import Access, Route
from tests.functions.api.conftest import Api

USER_ROUTES = [route for route in ROUTES if route.access is Access.USER]
PUBLIC = {"/health", "/healthz", "/version", "/openapi.json"}


def names(route: Route) -> str:
    return f"{route.method} {route.path}"


def path_of(route: Route, workstation: str, operation: str) -> str:
    return route.path.replace("{workstation}", workstation).replace("{operation}", operation)


def test_only_what_tells_nothing_is_public() -> None:
    assert {route.path for route in ROUTES if route.access is Access.PUBLIC} == PUBLIC


@pytest.mark.parametrize("route", USER_ROUTES, ids=names)
@pytest.mark.parametrize(
    ("kind", "claims"),
    [
        ("expired", {"exp": 1}),
        ("another project's audience", {"aud": "another"}),
        ("another issuer", {"iss": "https://securetoken.google.com/another"}),
        ("without a subject", {"sub": ""}),
        ("issued in the future", {"iat": 4_000_000_000}),
    ],
)
def test_a_token_that_proves_nothing_is_401(
    api: Api, route: Route, kind: str, claims: dict[str, object]
) -> None:
    headers = {"authorization": f"Bearer {api.token(**claims)}"}

    answer = api.client.request(route.method, path_of(route, "ws-a", "op-a"), headers=headers)

    assert answer.status_code == 401, kind
    assert answer.json()["error"]["details"][0]["reason"].startswith("TOKEN_")


@pytest.mark.parametrize("route", USER_ROUTES, ids=names)
@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer ", "Bearer not.a.token", "Bearer oidc:someone"])
def test_no_token_is_401_and_says_what_to_send(api: Api, route: Route, header: str) -> None:
    answer = api.client.request(
        route.method, path_of(route, "ws-a", "op-a"), headers={"authorization": header}
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.mission("SEC-06", "SEC-10")
@pytest.mark.parametrize("route", [route for route in USER_ROUTES if "{" in route.path], ids=names)
def test_what_is_anothers_is_as_absent_as_what_never_was(api: Api, route: Route) -> None:
    workstation = api.provision()
    operation = (
        api.call("POST", f"/v1/workstations/{workstation}:wake").json()["name"].removeprefix("operations/")
    )

    foreign = api.call(route.method, path_of(route, workstation, operation), uid="eve")
    absent = api.call(route.method, path_of(route, "ws-" + "a" * 20, "op-" + "a" * 20), uid="eve")

    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert foreign.json()["error"]["message"] == absent.json()["error"]["message"]


def test_a_list_shows_what_is_ones_own(api: Api) -> None:
    api.provision()

    assert api.call("GET", "/v1/workstations", uid="eve").json()["workstations"] == []
