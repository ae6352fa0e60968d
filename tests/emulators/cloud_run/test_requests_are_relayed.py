"""The front: bytes both ways, unchanged and unhurried, whatever HTTP allows."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.emulators.cloud_run.driver import (
    DEADLINE_SECONDS,
    Emulator,
    a_container,
    a_service,
    automatic,
    eventually,
    http,
    manual,
    on_both,
    running,
)
from tests.emulators.cloud_run.hosted import hosted


@pytest.fixture(scope="module")
def uri(emulator: Emulator) -> str:
    """A service that wakes on demand."""
    emulator.create("relayed", a_service(timeout="2s"))
    return emulator.scale("relayed", automatic(0, 1)).uri


@pytest.fixture
def raw(uri: str) -> Iterator[socket.socket]:
    """A bare connection to the service."""
    host, port = uri.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=10)) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def work_directory(uri: str) -> str:
    return http.get(uri).json()["directory"]


def test_a_request_wakes_the_service_and_is_answered(emulator: Emulator, service_id: str) -> None:
    emulator.create(service_id)
    address = emulator.scale(service_id, automatic(0, 1)).uri
    assert emulator.instances(service_id) == []
    assert http.get(address).json()["environment"]["K_SERVICE"] == service_id
    [instance] = emulator.instances(service_id)
    assert instance["pid"] == http.get(address).json()["pid"]


def test_the_container_sees_only_its_own_environment(uri: str) -> None:
    seen = http.get(uri).json()
    environment = seen["environment"]
    assert set(environment) - {"LC_CTYPE"} == {
        *("PATH", "HOME", "LANG", "PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION")
    }
    assert environment["K_SERVICE"] == environment["K_CONFIGURATION"] == "relayed"
    assert environment["K_REVISION"].startswith("relayed-00001-")
    assert environment["HOME"] == seen["directory"]


@on_both
def test_template_environment_and_metadata_server_reach_the_container(tmp_path, runtime) -> None:
    with running(
        tmp_path, "--metadata", "127.0.0.1:9", "--instance-env", "MINE=a=b", runtime=runtime
    ) as emulator:
        service = a_service()
        service.template.containers = [a_container(env={"GREETING": "hello", "MINE": "no"})]
        emulator.create("env", service)
        environment = http.get(emulator.scale("env", automatic(0, 1)).uri).json()["environment"]
    assert environment["GREETING"] == "hello"
    assert environment["MINE"] == "a=b"
    assert environment["GCE_METADATA_HOST"] == environment["GCE_METADATA_IP"] == "127.0.0.1:9"
    assert "EMULATOR_SECRET" not in environment


@on_both
def test_a_large_body_comes_back_unchanged(uri: str) -> None:
    body = os.urandom(5 << 20)
    assert http.post(f"{uri}/echo", content=body).content == body


@on_both
def test_a_chunked_request_body_comes_back_unchanged(uri: str) -> None:
    pieces = [os.urandom(size) for size in (1, 70000, 3, 200000)]
    response = http.post(f"{uri}/echo", content=iter(pieces))
    assert response.content == b"".join(pieces)


@on_both
def test_a_stream_arrives_piece_by_piece(uri: str) -> None:
    http.get(uri)
    began = time.monotonic()
    with http.stream("GET", f"{uri}/stream?count=4&delay=0.2") as response:
        arrivals = [time.monotonic() - began for line in response.iter_lines() if line]
    assert len(arrivals) == 4
    assert arrivals[-1] - arrivals[0] > 0.4


@on_both
def test_one_connection_carries_many_requests(uri: str) -> None:
    with httpx2.Client() as client:
        for number in range(20):
            assert client.post(f"{uri}/echo", content=str(number)).text == str(number)
            assert client.get(f"{uri}/stream?count=2&delay=0").text == "0\n1\n"


def test_pipelined_requests_are_answered_in_order(raw: socket.socket) -> None:
    raw.sendall(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\ntwo"
    )
    answer = read_all(raw)
    assert answer.index(b"one") < answer.index(b"two")
    assert answer.count(b"200 OK") == 2


@on_both
def test_expect_continue_is_answered_by_the_container(raw: socket.socket) -> None:
    raw.sendall(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    assert b"100 Continue" in raw.recv(4096)
    raw.sendall(b"body")
    assert read_all(raw).endswith(b"body")


def test_head_has_no_body_and_http_1_0_ends_with_the_connection(uri: str, raw: socket.socket) -> None:
    with httpx2.Client() as client:
        assert client.head(f"{uri}/wait?seconds=0").status_code == 200
        assert client.get(f"{uri}/wait?seconds=0").text.isdigit()
    raw.sendall(b"GET /wait?seconds=0 HTTP/1.0\r\nHost: x\r\n\r\n")
    assert read_all(raw).partition(b"\r\n\r\n")[2].isdigit()


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nbad header: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    ],
)
def test_an_ambiguous_request_is_refused(raw: socket.socket, head: bytes) -> None:
    raw.sendall(head)
    assert read_all(raw).startswith(b"HTTP/1.1 400 ")


def test_a_broken_chunk_is_refused_at_once(raw: socket.socket) -> None:
    raw.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n")
    assert read_all(raw).startswith(b"HTTP/1.1 400 ")


def test_an_endless_head_is_refused(raw: socket.socket) -> None:
    raw.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
    assert read_all(raw).startswith(b"HTTP/1.1 431 ")


def test_a_head_that_never_ends_is_408(tmp_path: Path) -> None:
    """A client that stops in the middle must not hold its connection for ever; one that has not begun may wait."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            address = here.uri.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(*address)
            await here.advance(hours=1)
            # There is no revision: the front itself answers.
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
            writer.close()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\nHost: ")
            answer = asyncio.create_task(reader.read())
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not answer.done():
                    await here.advance(seconds=60)
                    await asyncio.sleep(0.02)
            assert answer.result().startswith(b"HTTP/1.1 408 ")
            writer.close()

    asyncio.run(story())


def test_a_request_that_has_not_begun_at_the_timeout_is_504(uri: str) -> None:
    assert http.get(f"{uri}/wait?seconds=20").status_code == 504


def test_a_response_that_has_begun_is_cut_at_the_timeout(uri: str) -> None:
    http.get(uri)
    with (
        pytest.raises(httpx2.RemoteProtocolError),
        http.stream("GET", f"{uri}/stream?count=99&delay=0.1") as it,
    ):
        list(it.iter_lines())


def test_a_client_that_goes_away_ends_its_request(emulator: Emulator, service_id: str) -> None:
    """Long before the request's timeout: an instance must not work, and bill, for nobody."""
    emulator.create(service_id)
    address = emulator.scale(service_id, automatic(0, 1)).uri
    directory = work_directory(address)
    host, port = address.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=10)) as client:
        client.sendall(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: os.path.exists(f"{directory}/client-here"))
        assert emulator.instances(service_id)[0]["requestsInFlight"] == 1
    eventually(lambda: emulator.instances(service_id)[0]["requestsInFlight"] == 0)
    # The container learns of it as soon as it has CPU again.
    eventually(lambda: http.get(address).is_success and os.path.exists(f"{directory}/client-gone"))


@on_both
def test_a_container_that_dies_in_a_request_is_503_and_the_next_request_is_served(uri: str) -> None:
    response = http.get(f"{uri}/leave?code=1")
    assert response.status_code == 503
    assert "without an HTTP response" in response.text
    assert http.get(uri).status_code == 200


def test_manual_zero_is_503_and_starts_nothing(emulator: Emulator, service_id: str) -> None:
    response = http.get(emulator.create(service_id).uri)
    assert response.status_code == 503
    assert emulator.instances(service_id) == []
    # A body that nobody reads must not reset the connection before the answer is read.
    assert http.post(response.url, content=b"x" * (1 << 20)).status_code == 503


def test_forwarding_headers_are_added_and_hop_headers_dropped(uri: str) -> None:
    headers = dict(http.get(uri, headers={"TE": "trailers", "X-Mine": "kept"}).json()["headers"])
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-mine"] == "kept"
    assert "te" not in headers
    assert headers["host"] in uri


@on_both
def test_exact_counts_are_kept_and_scaled(emulator: Emulator, service_id: str) -> None:
    emulator.create(service_id)
    emulator.scale(service_id, manual(2))
    eventually(lambda: len(emulator.instances(service_id, "FROZEN")) == 2)
    emulator.scale(service_id, manual(1))
    eventually(lambda: len(emulator.instances(service_id)) == 1)
    emulator.scale(service_id, manual(0))
    eventually(lambda: emulator.instances(service_id) == [])
    assert json.loads((emulator.state / "services" / f"{service_id}.json").read_text())["generation"] == "4"


HOST = b"Host: x\r\n"
SMUGGLED = {
    "a line break in the target": b"GET /health\nX-Evil: 1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a zero byte in the target": b"GET /hea\0lth HTTP/1.1\r\n" + HOST + b"\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length of 5000 digits": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: "
    + b"9" * 5000
    + b"\r\n\r\n",
    "a head with bare line feeds": b"GET / HTTP/1.1\n" + b"Host: x\n\n",
    "a bare line feed among the headers": b"GET / HTTP/1.1\r\n" + HOST + b"X: y\n\r\n",
    "a bare line feed after the head": b"GET / HTTP/1.1\r\n" + HOST + b"\n",
    "a bare line feed before the head": b"\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "bare line feeds among the chunks": b"POST /echo HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
    "trailers without end": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    + b"X: y\r\n" * 20_000,
}


@pytest.mark.parametrize("case", SMUGGLED)
def test_what_two_readers_could_read_differently_is_refused(raw: socket.socket, case: str) -> None:
    raw.sendall(SMUGGLED[case])
    assert read_all(raw).startswith(b"HTTP/1.1 400 ")


def test_trailers_do_not_reach_the_container(raw: socket.socket) -> None:
    head = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    raw.sendall(head + b"4;ext=1\r\nabcd\r\n0\r\nContent-Length: 9\r\n\r\n")
    answer = read_all(raw)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nabcd")


def test_a_connection_header_takes_away_neither_body_nor_host(raw: socket.socket) -> None:
    words = b"Content-Length: 4\r\nConnection: close, content-length, host\r\n\r\n"
    raw.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + words + b"abcd")
    assert read_all(raw).endswith(b"\r\n\r\nabcd")


def test_the_protocol_of_the_request_is_what_the_front_says(uri: str) -> None:
    seen = http.get(uri, headers={"X-Forwarded-Proto": "https"}).json()["headers"]
    assert [value for name, value in seen if name == "x-forwarded-proto"] == ["http"]


def test_an_answer_that_comes_before_the_body_has_been_read_is_not_lost(uri: str) -> None:
    """A container may refuse an upload by its head and go; its client learns why."""
    for _ in range(5):
        assert http.post(f"{uri}/health", content=b"x" * (16 << 20)).status_code == 200
