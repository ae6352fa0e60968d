"""WebSockets reach the user's own server frame by frame, with the client's path, headers and subprotocols."""

import threading

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve

from tests.agent.driver import eventually


@pytest.fixture
def served(agent):
    """A ready agent whose user runs a WebSocket server that echoes; a few words make it act otherwise."""

    def handle(socket):
        socket.send(f"{socket.request.path} {socket.subprotocol} {dict(socket.request.headers.raw_items())}")
        for message in socket:
            if message == "close":
                socket.close(4321, "as asked")
            socket.send(message)

    def refuse(connection, request):
        return connection.respond(418, "no\n") if request.path == "/refuse" else None

    with serve(
        handle, "127.0.0.1", agent.user_port, subprotocols=["chat"], process_request=refuse, max_size=None
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield agent
        server.shutdown()


def open_socket(agent, path="/", subprotocols=("chat",), **options):
    """Open a WebSocket through the agent; return it and the server's greeting."""
    url = f"{agent.websocket_url}{path}"
    socket = connect(
        url, proxy=None, compression=None, subprotocols=subprotocols, max_size=None, legacy=True, **options
    )
    return socket, socket.recv(timeout=10)


def test_path_query_subprotocol_and_headers_arrive_unchanged_but_for_ours(served):
    socket, greeting = open_socket(
        served,
        "/a%2Fb;x=1?y=%20",
        subprotocols=["other", "chat"],
        origin="https://example.com",
        additional_headers={
            "X-Serverless-Authorization": "s3cret",
            "Dormouse-Authorization": "s3cret",
            "X-Mine": "m",
        },
    )

    assert greeting.startswith("/a%2Fb;x=1?y=%20 chat ")
    assert socket.subprotocol == "chat"
    assert "'https://example.com'" in greeting
    assert f"127.0.0.1:{served.port}" in greeting
    assert ("s3cret" in greeting, "'m'" in greeting) == (False, True)
    socket.close()


def test_text_and_bytes_pass_both_ways_whatever_their_size(served):
    socket, _ = open_socket(served)
    for message in ("ü", "", b"\x00\xff", b"x" * 3_000_000, "y" * 100_000):
        socket.send(message)
        assert socket.recv(timeout=10) == message
    socket.close()


def test_the_servers_close_reaches_the_client_with_code_and_reason(served):
    socket, _ = open_socket(served)
    socket.send("close")

    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=10)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "as asked")


def test_a_refusal_of_the_server_is_passed_on(served):
    with pytest.raises(InvalidStatus) as refused:
        open_socket(served, "/refuse")
    assert (refused.value.response.status_code, refused.value.response.body) == (418, b"no\n")


def test_nothing_on_the_port_is_a_502(agent):
    with pytest.raises(InvalidStatus) as refused:
        open_socket(agent)
    assert refused.value.response.status_code == 502
    assert str(agent.user_port).encode() in refused.value.response.body


def test_a_path_of_the_agents_own_is_not_relayed(served):
    with pytest.raises(InvalidStatus) as refused:
        open_socket(served, "/-/other")
    assert refused.value.response.status_code == 404


def test_an_open_but_silent_socket_is_no_activity_and_each_frame_is(served):
    socket, _ = open_socket(served)
    before = served.activity()
    assert (before["busy"], before["lastActivity"]["source"]) == ("NO", "websocket")

    socket.send("x")

    assert eventually(lambda: served.activity()["lastActivity"]["time"] > before["lastActivity"]["time"])
    socket.close()


def test_a_quiesce_closes_the_socket_with_a_code_that_says_come_back(served):
    socket, _ = open_socket(served)

    assert served.control("quiesce", {"idleSeconds": 0}).status_code == 200

    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=10)
    assert closed.value.rcvd.code == 1012


def test_a_socket_survives_a_freeze(served):
    socket, _ = open_socket(served)
    served.freeze(1)
    socket.send("after")

    assert socket.recv(timeout=10) == "after"
    socket.close()
