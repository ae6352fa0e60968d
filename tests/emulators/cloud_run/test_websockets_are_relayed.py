"""WebSockets through the front: both ways, counted as work, ended by either side and by the request timeout."""

from __future__ import annotations

import os

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.emulators.cloud_run.driver import Emulator, a_service, automatic, eventually, http, on_both


@pytest.fixture(scope="module")
def uri(emulator: Emulator) -> str:
    """A service whose requests may take two seconds."""
    emulator.create("talker", a_service(timeout="2s"))
    return emulator.scale("talker", automatic(0, 1)).uri


def in_flight(emulator: Emulator) -> int:
    return sum(instance["requestsInFlight"] for instance in emulator.instances("talker"))


@on_both
def test_messages_go_both_ways_and_the_socket_counts_as_a_request(emulator: Emulator, uri: str) -> None:
    with connect(f"{uri.replace('http', 'ws')}/talk") as socket:
        for number in range(5):
            socket.send(f"message {number}")
            assert socket.recv(timeout=5) == f"echo message {number}"
        big = "x" * 500_000
        socket.send(big)
        assert socket.recv(timeout=5) == f"echo {big}"
        assert in_flight(emulator) == 1
        assert emulator.instances("talker", "SERVING")
    eventually(lambda: in_flight(emulator) == 0)
    eventually(lambda: emulator.instances("talker", "FROZEN"))


def test_a_client_that_vanishes_closes_the_socket_in_the_container(emulator: Emulator, uri: str) -> None:
    directory = http.get(uri).json()["directory"]
    with connect(f"{uri.replace('http', 'ws')}/talk") as socket:
        socket.send("x")
        socket.recv(timeout=5)
        socket.socket.shutdown(2)
    eventually(lambda: in_flight(emulator) == 0)
    eventually(lambda: http.get(uri).is_success and os.path.exists(f"{directory}/socket-closed"))


@on_both
def test_an_open_socket_is_cut_at_the_request_timeout(emulator: Emulator, uri: str) -> None:
    with connect(f"{uri.replace('http', 'ws')}/talk") as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=10)
    eventually(lambda: in_flight(emulator) == 0)


def test_a_refused_upgrade_is_an_ordinary_answer(uri: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(f"{uri.replace('http', 'ws')}/no-such-socket")
    assert caught.value.response.status_code in (403, 404, 200)
