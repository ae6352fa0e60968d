"""A target that records its calls and answers as told."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Call:
    """A request that the target got; its headers' names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def scheduled(self) -> datetime:
        """The schedule time that it was told."""
        return datetime.fromisoformat(self.headers["x-cloudscheduler-scheduletime"])


@dataclass
class Target:
    """An HTTP server whose answers a test decides."""

    calls: list[Call] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)
    """What the next calls are answered; 200 when it is empty."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Calls wait until it is set."""
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def at(self, path: str) -> list[Call]:
        """The calls of that path so far."""
        with self.lock:
            return [call for call in self.calls if call.path == path]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        with self.lock:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.calls.append(Call(request.command, request.path, headers, body))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            status = self.statuses.popleft() if self.statuses else 200
        self.gate.wait(30)
        with self.lock:
            self.at_once -= 1
        try:
            request.send_response(status)
            if status in (302, 307):
                request.send_header("Location", f"{self.url}/moved")
            request.send_header("Set-Cookie", "a=b")
            request.send_header("Content-Length", "0")
            request.end_headers()
        except OSError:
            """Whoever called has given up."""


@contextmanager
def serving() -> Iterator[Target]:
    """A target that answers 200 at once, until told otherwise."""
    target = Target()
    target.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            target.answer(self)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_one

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    target.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield target
    target.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()
