"""A target that records its calls and answers as told, and a scheduler that calls it."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

SCHEDULER = "dormouse-scheduler@demo-dormouse.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Call:
    """A request that the target got."""

    method: str
    path: str
    headers: dict[str, str]


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

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        with self.lock:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.calls.append(Call(request.command, request.path, headers))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            status = self.statuses.popleft() if self.statuses else 200
        self.gate.wait(20)
        with self.lock:
            self.at_once -= 1
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()


@pytest.fixture
def target() -> Iterator[Target]:
    """A target that answers 200 at once, until told otherwise."""
    target = Target()
    target.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            target.answer(self)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    target.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield target
    target.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Accounts:
    """The identity emulator that gives the scheduler its tokens."""

    url: str
    metadata: str


@pytest.fixture(scope="module")
def accounts(
    processes: Any, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Accounts:
    """An identity emulator with the scheduler's account."""
    port, metadata = free_port(), free_port()
    state = str(tmp_path_factory.mktemp("identity"))
    flags = ["--state", state, "--project", "demo-dormouse", "--account", f"{SCHEDULER}={metadata}"]
    processes.start("emulators.identity", port, *flags)
    return Accounts(f"http://127.0.0.1:{port}", f"127.0.0.1:{metadata}")


@dataclass(frozen=True)
class Scheduler:
    """A running scheduler emulator."""

    url: str
    process: Any

    def job(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = httpx2.get(f"{self.url}/v1/jobs/{name}", trust_env=False).json()
        return job

    def run(self, name: str) -> httpx2.Response:
        return httpx2.post(f"{self.url}/v1/jobs/{name}:run", trust_env=False)


@pytest.fixture
def start_scheduler(
    processes: Any, free_port: Callable[[], int], accounts: Accounts, tmp_path: Path
) -> Iterator[Callable[..., Scheduler]]:
    """Starts a scheduler with the jobs, each at one address, and a short minute."""
    started = []

    def start(url: str, *jobs: dict[str, Any], minute: float = 0.25) -> Scheduler:
        port = free_port()
        file = tmp_path / f"jobs-{port}.json"
        file.write_text(json.dumps(jobs))
        flags = ["--jobs", str(file), "--metadata", accounts.metadata, "--minute", str(minute)]
        process = processes.start("emulators.cloud_scheduler", port, *flags, "--target", f"t={url}")
        started.append(process)
        return Scheduler(f"http://127.0.0.1:{port}", process)

    yield start
    for process in started:
        processes.kill(process)


@pytest.fixture(scope="session")
def a_job() -> Callable[..., dict[str, Any]]:
    """An entry of a jobs file that is due every minute."""

    def make(name: str = "sweep", **fields: Any) -> dict[str, Any]:
        return {"name": name, "schedule": "* * * * *", "target": "t", "path": "/"} | fields

    return make
