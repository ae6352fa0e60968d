"""Where workstations share one network, as plain processes do, none of them reaches another's server."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.agent.driver import free_port


class Server(BaseHTTPRequestHandler):
    """Answers with the port that it listens on."""

    def do_GET(self):
        body = str(self.server.server_port).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(port):
    server = ThreadingHTTPServer(("127.0.0.1", port), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def neighbours(start_agent):
    """Two ready workstations whose users' port has the same name."""
    called = str(free_port())
    pair = [start_agent(DORMOUSE_SHARED_NETWORK="true", DORMOUSE_USER_PORT=called) for _ in range(2)]
    for agent in pair:
        agent.load()
    return pair, {"Dormouse-Port": called}


def test_each_has_a_port_of_its_own_under_the_same_name(neighbours):
    pair, called = neighbours
    ports = [int(agent.output("echo $PORT")) for agent in pair]
    assert len({*ports, int(called["Dormouse-Port"])}) == 3

    servers = [serve(port) for port in ports]

    for agent, port in zip(pair, ports, strict=True):
        assert agent.http.get("/", headers=called).text == str(port)
        assert agent.http.get("/").text == str(port)
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_stranger_on_the_usual_port_is_not_taken_for_the_users_server(neighbours):
    (agent, _), called = neighbours
    stranger = serve(int(called["Dormouse-Port"]))

    answer = agent.http.get("/", headers=called)

    assert answer.status_code == 502
    assert f"port {agent.output('echo $PORT').strip()}" in answer.json()["error"]["message"]
    stranger.shutdown()
    stranger.server_close()
