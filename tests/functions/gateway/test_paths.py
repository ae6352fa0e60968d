"""One address, one meaning: what is authorised is what is forwarded, byte for byte, or nothing is."""

import socket

import pytest

from functions.gateway.target import read_target
from shared.domain.errors import DormouseError
from shared.domain.names import WorkstationId
from tests.functions.gateway.deployment import Deployment

ID = b"ws-" + b"a" * 20


def ask(shop: Deployment, target: bytes, method: bytes = b"GET") -> int:
    """The status for exactly these bytes: clients would tidy them."""
    token = shop.token()["Authorization"].encode()
    with socket.create_connection(("127.0.0.1", shop.gateway.port), timeout=10) as connection:
        head = [method + b" " + target + b" HTTP/1.1", b"Host: gateway", b"Authorization: " + token]
        connection.sendall(b"\r\n".join([*head, b"Connection: close", b"", b""]))
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    "path",
    [
        b"/../other",
        b"/a/../b",
        b"/a/..",
        b"/./a",
        b"/..;x/a",
        b"/%2e%2e/a",
        b"/%2E./a",
        b"/.%2e/a",
        b"/a%2fb",
        b"/a%2Fb",
        b"/a%5cb",
        b"/a\\b",
        b"/a//b",
        b"//a",
        b"/a//",
        b"/a%00b",
        b"/a%0d%0aX:1",
        b"/a%7f",
        b"/a%",
        b"/a%zz",
        b"/%2d/exec",
        b"/%2D/quiesce",
        b"/%2d",
    ],
)
def test_an_ambiguous_address_is_refused(shop: Deployment, running: WorkstationId, path: bytes) -> None:
    assert ask(shop, b"/w/" + running.encode() + path) == 400


@pytest.mark.parametrize("path", [b"/a\x00b", b"/a\xff", b"/a#b", b"/a b", b"/a\x7f"])
def test_what_a_server_might_let_through_is_refused_all_the_same(path: bytes) -> None:
    with pytest.raises(DormouseError) as refused:
        read_target(b"/w/" + ID + path, b"")
    assert refused.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a",
        "/a/",
        "/a%20b",
        "/%C3%A9?q=%2F..%2F",
        "/a;b=1/c",
        "/a+b=c&d,e@f:g!$'()*~_-.h",
        "/...",
        "/.hidden/..a",
        "/%252e%252e/",
        "/?",
        "/a?x=1&y=a//b/../c",
        "/-",
        "/-a/exec",
        "/a/-/quiesce",
    ],
)
def test_a_plain_address_arrives_as_it_was_sent(
    shop: Deployment, running: WorkstationId, target: str
) -> None:
    """But for a bare question mark, which asks nothing; and `/-` alone, which is the agent's to answer."""
    token = shop.token()
    import http.client  # noqa: PLC0415

    connection = http.client.HTTPConnection("127.0.0.1", shop.gateway.port, timeout=10)
    connection.putrequest("GET", f"/w/{running}{target}")
    connection.putheader("Authorization", token["Authorization"])
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    if target == "/-":
        assert answer.status == 404
        return
    import json  # noqa: PLC0415

    assert answer.status == 200, body
    assert json.loads(body)["target"] == target.removesuffix("?")


@pytest.mark.parametrize(
    "path",
    [
        "/-/quiesce",
        "/-/resume",
        "/-/load",
        "/-/save",
        "/-/hold",
        "/-/Exec",
        "/-/execute",
        "/-/",
        "/-/;/exec",
        "/-/%71uiesce",
        "/-/qu%69esce",
        "/-/hold/",
        "/-/hold;x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_the_control_planes_routes_are_not_the_owners(
    shop: Deployment, running: WorkstationId, path: str, method: str
) -> None:
    assert ask(shop, f"/w/{running}{path}".encode(), method.encode()) == 404


@pytest.mark.parametrize("verb", ["exec", "files", "terminal", "logs", "activity", "health"])
def test_the_owners_routes_of_the_agent_are_let_through(verb: str) -> None:
    assert read_target(b"/w/" + ID + b"/-/" + verb.encode(), b"").is_own


@pytest.mark.parametrize("path", ["/w/", "/w/ws-short/", "/w/../healthz", "/w/ws-UPPERCASEUPPERCASEUP/"])
def test_what_names_no_workstation_is_not_found(shop: Deployment, path: str) -> None:
    assert ask(shop, path.encode()) == 404


def test_an_address_without_its_slash_says_so(shop: Deployment, running: WorkstationId) -> None:
    """Otherwise every relative link of the page would lead elsewhere."""
    answer = shop.http.get(f"/w/{running}", headers=shop.token())
    assert answer.status_code == 404
    assert f"/w/{running}/" in answer.json()["error"]["message"]
