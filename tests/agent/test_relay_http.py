"""Requests reach the user's own web server as they were sent, and its answers come back as they were given."""

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from tests.agent.driver import eventually


class Echo(BaseHTTPRequestHandler):
    """A web server of a user: a few behaviours by path."""

    protocol_version = "HTTP/1.1"
    release = threading.Event()

    def do_GET(self):
        route = self.path.partition("?")[0].strip("/") or "echo"
        getattr(self, f"answer_{route}", self.answer_echo)()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET

    def answer_echo(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = f"{self.command} {self.path}\n{self.headers}".encode() + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def answer_digest(self):
        digest = hashlib.sha256()
        while size := int(self.rfile.readline(), 16):
            digest.update(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        self.reply(digest.hexdigest().encode())

    def answer_early(self):
        self.close_connection = True
        self.send_response(413)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"big")
        self.release.wait(20)

    def answer_stream(self):
        self.begin(b"text/plain")
        self.chunk(b"first")
        assert self.release.wait(20)
        self.chunk(b"second")
        self.chunk(b"")

    def answer_events(self):
        self.begin(b"text/event-stream")
        self.chunk(b"data: 1\n\n")
        self.release.wait(20)

    def answer_slow(self):
        assert self.release.wait(20)
        self.reply(b"done")

    def answer_truncated(self):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")

    def answer_hints(self):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        self.reply(b"after hints")

    def answer_rude(self):
        self.close_connection = True
        self.wfile.write(b"220 ftp ready\r\n")

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind.decode())
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_):
        pass


@pytest.fixture
def served(agent):
    """A ready agent whose user runs a web server."""
    Echo.release = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", agent.user_port), Echo)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield agent
    Echo.release.set()
    server.shutdown()
    server.server_close()


def test_path_query_and_body_arrive_unchanged(served):
    answer = served.http.post("/a%2Fb/%C3%A9//c?x=%20&y=1", content=b"\x00body\xff")

    assert answer.content.startswith(b"POST /a%2Fb/%C3%A9//c?x=%20&y=1\n")
    assert answer.content.endswith(b"\x00body\xff")


def test_our_credentials_never_reach_the_users_code(served):
    secret = {"Dormouse-Authorization": "Bearer s3cret", "X-Serverless-Authorization": "Bearer s3cret"}

    answer = served.http.get(
        "/", headers=secret | {"Dormouse-Port": str(served.user_port), "Authorization": "mine"}
    )

    assert "s3cret" not in answer.text
    assert "dormouse" not in answer.text.lower()
    assert "mine" in answer.text


def test_answers_keep_their_repeated_headers(served):
    assert served.http.get("/").headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_head_request_has_no_body_and_ends(served):
    assert served.http.head("/").status_code == 200


def test_a_body_of_unknown_length_is_streamed(served):
    pieces = [bytes([number]) * 100_000 for number in range(50)]

    answer = served.http.post("/digest", content=iter(pieces))

    assert answer.text == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_an_answer_before_the_body_was_read_is_passed_on(served):
    answer = served.http.post("/early", content=b"x" * 50_000_000)

    assert (answer.status_code, answer.text) == (413, "big")


def test_a_slow_answer_arrives_piece_by_piece_and_counts_as_in_flight(served):
    with served.http.stream("GET", "/stream") as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        activity = served.activity()
        assert (activity["busy"], activity["requestsInFlight"]) == ("YES", 1)
        Echo.release.set()
        assert b"".join(pieces) == b"second"
    assert eventually(lambda: served.activity()["requestsInFlight"] == 0)


def test_an_open_event_stream_is_not_work(served):
    with served.http.stream("GET", "/events") as answer:
        assert next(answer.iter_raw()) == b"data: 1\n\n"
        assert served.activity()["requestsInFlight"] == 0
        assert served.activity()["busy"] == "NO"


def test_a_quiesce_closes_an_open_event_stream(served):
    with served.http.stream("GET", "/events") as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert served.control("quiesce").status_code == 200
        with pytest.raises(httpx2.RemoteProtocolError):
            next(pieces)


def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(served):
    with pytest.raises(httpx2.RemoteProtocolError):
        served.http.get("/truncated")


def test_interim_answers_are_skipped(served):
    assert served.http.get("/hints").text == "after hints"


def test_a_server_that_speaks_no_http_is_named(served):
    answer = served.http.get("/rude")

    assert answer.status_code == 502
    assert str(served.user_port) in answer.json()["error"]["message"]


def test_nothing_on_the_port_is_a_502_that_says_what_to_do(shared):
    error = shared.http.get("/", headers={"Dormouse-Port": str(shared.user_port)}).json()["error"]

    assert (error["code"], f"port {shared.user_port}" in error["message"]) == (502, True)
    assert "start your web server" in error["message"]


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1", "99999999999999999999", "3000x", ""])
def test_a_port_that_is_none_is_a_400(shared, port):
    assert shared.http.get("/", headers={"Dormouse-Port": port}).status_code == 400


def test_the_agent_does_not_relay_to_itself(shared):
    assert shared.http.get("/", headers={"Dormouse-Port": str(shared.port)}).status_code == 400


def test_a_request_is_relayed_right_after_a_freeze(served):
    for _ in range(3):
        assert served.http.post("/", content=b"x").status_code == 200
        served.freeze(0.3)
        assert served.http.post("/", content=b"x").status_code == 200


def test_a_client_that_leaves_ends_its_request(served):
    def impatient():
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.get(f"{served.url}/slow", timeout=0.5, trust_env=False)

    thread = threading.Thread(target=impatient)
    thread.start()
    assert eventually(lambda: served.activity()["requestsInFlight"] == 1)
    thread.join()
    assert eventually(lambda: served.activity()["requestsInFlight"] == 0)


def test_fifty_requests_at_once_are_all_answered(served):
    answers = []

    def ask(number):
        answer = httpx2.post(f"{served.url}/{number}", content=b"x" * 10_000, trust_env=False)
        answers.append(answer.status_code if answer.status_code == 200 else answer.text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 50, set(answers)
    assert time.monotonic() - begun < 20
