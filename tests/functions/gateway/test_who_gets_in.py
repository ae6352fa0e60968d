"""The owner, and nobody else, by the right kind of token."""

from datetime import UTC, datetime, timedelta

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from functions.gateway.application import WORKSTATIONS, routes
from functions.http.routes import Access
from shared.domain.names import WorkstationId, workstation_id
from tests.functions.gateway.deployment import ADA, BOB, GATEWAY, STRANGER, SWEEP, Deployment


def reason(answer) -> str:
    return answer.json()["error"]["details"][0]["reason"]


def test_the_owner_gets_in(shop: Deployment, running: WorkstationId) -> None:
    assert shop.call("GET", running, "/hello").status_code == 200


@pytest.mark.mission("SEC-06")
def test_anothers_workstation_is_as_absent_as_none(shop: Deployment, running: WorkstationId) -> None:
    """Neither status nor body tells them apart."""
    answers = [
        shop.call("GET", id_, "/hello", owner=BOB) for id_ in (running, workstation_id(ADA, "no", "where"))
    ]
    bodies = [answer.json()["error"] for answer in answers]
    for body in bodies:
        body["details"][1].pop("requestId")
    assert [answer.status_code for answer in answers] == [404, 404]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "TOKEN_MISSING"),
        ({"Authorization": "Basic YTpi"}, "TOKEN_MISSING"),
        ({"Authorization": "Bearer a.b.c"}, "TOKEN_INVALID"),
    ],
)
def test_without_a_token_nobody_gets_in(
    shop: Deployment, running: WorkstationId, headers: dict[str, str], expected: str
) -> None:
    answer = shop.http.get(f"/w/{running}/hello", headers=headers)
    assert (answer.status_code, reason(answer)) == (401, expected)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_expired_token_is_told_so(shop: Deployment, running: WorkstationId) -> None:
    expired = shop.token(at=datetime.now(UTC) - timedelta(hours=2))
    answer = shop.http.get(f"/w/{running}/hello", headers=expired)
    assert (answer.status_code, reason(answer)) == (401, "TOKEN_EXPIRED")


def test_a_token_in_the_address_is_no_token(shop: Deployment, running: WorkstationId) -> None:
    token = shop.token()["Authorization"].removeprefix("Bearer ")
    assert shop.http.get(f"/w/{running}/hello?token={token}").status_code == 401


@pytest.mark.parametrize(("owner", "status"), [(None, 401), (BOB, 404)])
def test_a_websocket_is_refused_before_it_is_one(
    shop: Deployment, running: WorkstationId, owner: str | None, status: int
) -> None:
    headers = shop.token(owner) if owner else {}
    address = f"ws://127.0.0.1:{shop.gateway.port}/w/{running}/socket"
    with pytest.raises(InvalidStatus) as refused:
        connect(address, additional_headers=headers, proxy=None)
    assert refused.value.response.status_code == status
    assert b'"error"' in refused.value.response.body


def test_a_websocket_beside_the_workstations_is_not_found(shop: Deployment) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{shop.gateway.port}/healthz", proxy=None)
    assert refused.value.response.status_code == 404


def test_every_route_says_who_may_call_it(shop: Deployment) -> None:
    """And what is not public answers 401 to nobody in particular."""
    for route in routes(lambda: None):  # type: ignore[arg-type, return-value]
        assert isinstance(route.access, Access)
        path = route.path.replace("{workstation}", workstation_id(ADA, "demo", "main"))
        expected = 200 if route.access is Access.PUBLIC else 401
        assert shop.http.request(route.method, path).status_code == expected
    assert WORKSTATIONS.access is Access.USER


@pytest.mark.parametrize(
    ("email", "audience", "status"),
    [
        (SWEEP, None, 404),
        (GATEWAY, None, 404),
        (STRANGER, None, 403),
        (SWEEP, "https://elsewhere.example", 401),
    ],
)
def test_holds_are_the_control_planes(
    shop: Deployment, email: str, audience: str | None, status: int
) -> None:
    """By its accounts' tokens, made out to the gateway; 404 is about the workstation, so these were let in."""
    token = shop.signer.token(aud=audience or shop.url, email=email)
    absent = workstation_id(ADA, "no", "where")
    answer = shop.http.post(f"/-/holds/{absent}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status


def test_a_user_cannot_ask_for_a_hold(shop: Deployment, running: WorkstationId) -> None:
    assert shop.http.post(f"/-/holds/{running}", headers=shop.token()).status_code == 401
