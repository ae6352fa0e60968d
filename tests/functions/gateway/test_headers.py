"""What passes in each direction: nothing that speaks for us, nothing by which a page reaches beyond itself."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from functions.gateway.headers import to_client, to_workstation
from shared.domain.names import WorkstationId
from tests.functions.gateway.deployment import GATEWAY, Deploy, Deployment


def arrived(shop: Deployment, id_: WorkstationId, **headers: str) -> dict[str, list[str]]:
    """What the user's program saw."""
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    seen: dict[str, list[str]] = {}
    for name, value in shop.call("GET", id_, "/show", headers=renamed).json()["headers"]:
        seen.setdefault(name, []).append(value)
    return seen


def test_our_credentials_stay_with_us(shop: Deployment, running: WorkstationId) -> None:
    """Neither the user's token nor ours reaches the program; what a client pretends to be from us does not either."""
    seen = arrived(
        shop,
        running,
        X_Serverless_Authorization="Bearer forged",
        Dormouse_Authorization="Bearer forged",
        Dormouse_Port="22",
        X_Custom="kept",
    )
    assert not {name for name in seen if "authorization" in name or name.startswith("dormouse")}
    assert seen["x-custom"] == ["kept"]


def test_our_cookies_stay_with_us_and_others_pass(shop: Deployment, running: WorkstationId) -> None:
    seen = arrived(shop, running, Cookie="a=1; __Host-dormouse-session=s; dormouse_x=2; b=3")
    assert seen["cookie"] == ["a=1; b=3"]
    assert "cookie" not in arrived(shop, running, Cookie="dormouse=1")


def test_where_a_request_came_from_is_what_we_say(shop: Deployment, running: WorkstationId) -> None:
    """So that a program can write addresses of its own that work."""
    seen = arrived(
        shop,
        running,
        Forwarded="for=1.2.3.4",
        X_Forwarded_For="1.2.3.4",
        X_Forwarded_Host="evil.example",
        X_Forwarded_Prefix="/evil",
        X_Forwarded_Proto="gopher",
    )
    assert seen["x-forwarded-host"] == [f"127.0.0.1:{shop.gateway.port}"]
    assert seen["x-forwarded-prefix"] == [f"/w/{running}"]
    assert seen["x-forwarded-proto"] == ["http"]
    assert "forwarded" not in seen
    assert "x-forwarded-for" not in seen


def test_headers_of_one_hop_end_here() -> None:
    sent = [
        (b"Connection", b"keep-alive, X-Hop"),
        (b"X-Hop", b"1"),
        (b"TE", b"trailers"),
        (b"Upgrade", b"h2c"),
        (b"A", b"b"),
    ]
    assert to_workstation(sent) == [(b"a", b"b")]
    assert to_client(sent, "/w/x", own=True) == [(b"a", b"b")]


def test_the_service_is_called_as_this_account(deploy: Deploy, serve: Any) -> None:
    """For the platform: a token made out to the service. For the agent: the port that the workstation's template names."""

    async def show(request: Request) -> JSONResponse:
        return JSONResponse({**dict(request.headers), "target": request.url.path})

    deployment = deploy()
    id_ = deployment.provision()
    bare = serve(Starlette(routes=[Route("/{path:path}", show)]))
    deployment.amend(id_, uri=bare.url)
    seen = deployment.call("GET", id_, "/x", headers={"X-Serverless-Authorization": "Bearer forged"}).json()
    token = seen["x-serverless-authorization"].removeprefix("Bearer ")
    identity = deployment.gateway_identity()
    assert identity.verify(token, bare.url) == GATEWAY
    assert seen["dormouse-port"] == str(deployment.user_port)
    assert seen["host"] == f"127.0.0.1:{bare.port}"
    assert "authorization" not in seen
    assert "dormouse-authorization" not in seen


def test_a_page_cannot_reach_beyond_itself(shop: Deployment, running: WorkstationId) -> None:
    """It shares a host with every other workstation, so it is sandboxed, and speaks for no one but itself."""
    answer = shop.call("GET", running, "/greedy")
    policies = answer.headers.get_list("content-security-policy")
    assert policies == ["default-src 'self'", "sandbox allow-scripts allow-forms allow-popups allow-modals"]
    gone = (
        "service-worker-allowed",
        "clear-site-data",
        "dormouse-gate",
        "dormouse-exec",
        "strict-transport-security",
    )
    assert not [name for name in (*gone, "x-hop") if name in answer.headers]
    assert answer.headers["x-kept"] == "yes"


def test_its_cookies_are_for_its_own_part_of_the_host(shop: Deployment, running: WorkstationId) -> None:
    answer = shop.call("GET", running, "/greedy")
    assert answer.headers.get_list("set-cookie") == [f"a=1; Path=/w/{running}/; HttpOnly", "b=2"]


def test_the_agents_own_answers_are_no_pages(shop: Deployment, running: WorkstationId) -> None:
    answer = shop.call("POST", running, "/-/exec", json={"command": "true"})
    assert answer.status_code == 200
    assert "content-security-policy" not in answer.headers
    assert answer.headers["dormouse-exec"]


def test_a_redirect_is_the_clients_to_follow(shop: Deployment, running: WorkstationId) -> None:
    """The gateway's network is not the user's."""
    answer = shop.call("GET", running, "/away")
    assert (answer.status_code, answer.headers["location"]) == (307, "http://169.254.169.254/")


def test_a_programs_own_503_is_no_gate(shop: Deployment, running: WorkstationId) -> None:
    """It cannot pretend to be replaced."""
    answer = shop.call("GET", running, "/unavailable")
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (503, "full", "7")
    assert "replaced" not in shop.kinds(running)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_passes(shop: Deployment, running: WorkstationId, method: str) -> None:
    answer = shop.call(method, running, "/show")
    assert answer.status_code == 200
    if method != "HEAD":
        assert answer.json()["method"] == method
