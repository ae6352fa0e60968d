"""Bytes pass as they come, both ways, and none are gathered on the way."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from shared.domain.names import WorkstationId
from tests.agent.driver import eventually
from tests.functions.gateway.deployment import Deployment

MEBIBYTE = 1024 * 1024


def memory() -> int:
    """Bytes that this process, the gateway's, has resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def dial(shop: Deployment, id_: WorkstationId, path: str, **options: object) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{shop.gateway.port}/w/{id_}{path}",
        additional_headers=shop.token(),
        proxy=None,
        **options,  # type: ignore[arg-type]
    )


def test_events_arrive_when_they_are_sent(shop: Deployment, running: WorkstationId) -> None:
    lags = []
    with shop.http.stream("GET", f"/w/{running}/events", headers=shop.token()) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                lags.append(time.time() - float(line.removeprefix("data: ")))
    assert len(lags) == 5
    assert max(lags) < 0.09, lags


@pytest.mark.parametrize("length_is_known", [True, False])
def test_a_large_upload_passes_in_bounded_memory(
    shop: Deployment, running: WorkstationId, length_is_known: bool
) -> None:
    """96 MiB, by length and in chunks."""
    piece, count = b"0123456789abcdef" * 65536, 96
    peak = before = memory()

    def pieces() -> Iterator[bytes]:
        nonlocal peak
        for _ in range(count):
            peak = max(peak, memory())
            yield piece

    headers = {"Content-Length": str(count * len(piece))} if length_is_known else {}
    answer = shop.call("PUT", running, "/digest", content=pieces(), headers=headers).json()
    assert answer["size"] == count * MEBIBYTE
    assert answer["sha256"] == hashlib.sha256(piece * count).hexdigest()
    assert peak - before < 24 * MEBIBYTE


@pytest.mark.parametrize(
    ("mebibytes", "announced"), [(1, str(MEBIBYTE)), (32, str(32 * MEBIBYTE)), (33, None)]
)
def test_a_length_that_the_platform_would_refuse_is_not_announced(
    shop: Deployment, running: WorkstationId, mebibytes: int, announced: str | None
) -> None:
    """Cloud Run takes 32 MiB by length, and any size in chunks."""
    answer = shop.call("PUT", running, "/digest", content=b"x" * (mebibytes * MEBIBYTE)).json()
    assert (answer["size"], answer["announced"]) == (mebibytes * MEBIBYTE, announced)


def test_a_client_that_leaves_ends_an_endless_answer(shop: Deployment, running: WorkstationId) -> None:
    """The workstation is not kept busy for nobody."""
    with shop.http.stream("GET", f"/w/{running}/endless", headers=shop.token()) as answer:
        next(answer.iter_raw())
    eventually(lambda: shop.agent(running, "/-/activity")["requestsInFlight"] == 0)


def test_a_file_goes_up_and_comes_down(shop: Deployment, running: WorkstationId) -> None:
    content = bytes(range(256)) * 4096
    assert shop.call("PUT", running, "/-/files/a/b.bin", content=content).status_code == 201
    assert shop.call("GET", running, "/-/files/a/b.bin").content == content


def test_a_websocket_repeats_text_and_bytes(shop: Deployment, running: WorkstationId) -> None:
    with dial(shop, running, "/a%20b;v=1/socket?x=1&y=%2F", subprotocols=["other", "chat"]) as socket:
        assert socket.subprotocol == "chat"
        seen = json.loads(socket.recv(timeout=5))
        assert seen["target"] == "/a%20b;v=1/socket?x=1&y=%2F"
        names = {name for name, _ in seen["headers"]}
        assert not {name for name in names if name.startswith("dormouse") or "authorization" in name}
        assert dict(seen["headers"])["x-forwarded-prefix"] == f"/w/{running}"
        for message in ("text", b"bytes", "x" * MEBIBYTE, b""):
            socket.send(message)
            assert socket.recv(timeout=5) == message


def test_how_a_websocket_was_closed_is_told(shop: Deployment, running: WorkstationId) -> None:
    with dial(shop, running, "/socket") as socket:
        socket.recv(timeout=5)
        socket.send("leave")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
    assert closed.value.rcvd
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "enough")


def test_a_programs_refusal_of_a_websocket_is_passed_on(shop: Deployment, running: WorkstationId) -> None:
    with pytest.raises(InvalidStatus) as refused:
        dial(shop, running, "/refuse")
    assert refused.value.response.status_code == 418
    assert refused.value.response.body == b"not here"
    assert "sandbox" in refused.value.response.headers["content-security-policy"]


def test_a_terminal_works_through_the_gateway(shop: Deployment, running: WorkstationId) -> None:
    with dial(shop, running, "/-/terminal?cols=80&rows=24") as socket:
        assert json.loads(socket.recv(timeout=5))["id"]
        socket.send(b"echo $((6*7))x\n")
        shown = b""
        while b"42x" not in shown:
            message = socket.recv(timeout=5)
            shown += message if isinstance(message, bytes) else b""


def test_a_command_goes_on_when_its_client_has_gone(shop: Deployment, running: WorkstationId) -> None:
    """And can be come back to by its id."""
    command = {"command": "echo begun; sleep 1; echo done > finished; echo ended"}
    address = f"/w/{running}/-/exec"
    with shop.http.stream("POST", address, json=command, headers=shop.token()) as answer:
        identifier = answer.headers["dormouse-exec"]
        assert "begun" in next(answer.iter_lines())
    eventually(lambda: shop.call("GET", running, "/-/files/finished").status_code == 200)
    lines = shop.call("GET", running, f"/-/exec/{identifier}").text
    assert "begun" in lines
    assert "ended" in lines


def test_a_broken_answer_is_seen_to_be_broken(shop: Deployment, running: WorkstationId) -> None:
    """A client must not take half a file for a whole one."""
    started = shop.platform.starts[-1]
    with shop.http.stream("GET", f"/w/{running}/endless", headers=shop.token()) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        shop.platform.kill(started)
        with pytest.raises(httpx2.TransportError):
            list(pieces)
    shop.platform.start(started)
