"""Our own emulators as processes of the test session, on free ports, each of one standard project."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from google.auth.compute_engine import _metadata

PROJECT, REGION = "demo-dormouse", "europe-west1"
BUCKET = "dormouse-backups"
API, SWEEP, GATEWAY, RUNTIME = (
    f"dormouse-{name}@{PROJECT}.iam.gserviceaccount.com" for name in ("api", "sweep", "gateway", "runtime")
)
IMAGE = "python@sha256:" + "0" * 64
READY_SECONDS = 30
ROOT = Path(__file__).parents[1]

# What stands for the image: it answers its startup probe, and nothing else.
_HEALTHY = (
    "import http.server as h, os;"
    "H=type('H',(h.BaseHTTPRequestHandler,),{'do_GET':lambda s:(s.send_response(200),s.end_headers()),"
    "'log_message':lambda *a:None});"
    "h.HTTPServer(('127.0.0.1',int(os.environ['PORT'])),H).serve_forever()"
)

Start = Callable[..., int]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class IdentityEmulator:
    """Where it listens."""

    url: str
    metadata: dict[str, str]
    """host:port of each account's metadata server."""

    def become(self, account: str, patch: pytest.MonkeyPatch) -> None:
        """Let google-auth in this process take itself for a process of the account."""
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"):
            patch.setenv(name, self.metadata[account])
        # google-auth reads the host once, when it is imported; a process has one account, a test session several.
        patch.setattr(_metadata, "_GCE_METADATA_HOST", self.metadata[account])
        patch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


@pytest.fixture(scope="session")
def start_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Runs `python -m module --port P --state S --project P ...` and returns the port once it answers."""
    started: list[subprocess.Popen[bytes]] = []

    def start(module: str, *arguments: str) -> int:
        port, directory = free_port(), tmp_path_factory.mktemp(module)
        standard = ["--port", str(port), "--state", str(directory / "state"), "--project", PROJECT]
        log = directory / "log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", module, *standard, *arguments]
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=_environment())
        started.append(process)
        _wait_until_ready(f"http://127.0.0.1:{port}/", process, log)
        return port

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(20)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not answers(url):
        assert process.poll() is None, f"the emulator ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"the emulator was not ready:\n{log.read_text()}"
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False, timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until it is true; fail when it never is."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def identity_emulator(start_emulator: Start) -> IdentityEmulator:
    """Four accounts, their metadata servers, and the published keys."""
    ports = {email: free_port() for email in (API, SWEEP, GATEWAY, RUNTIME)}
    accounts = [word for email, port in ports.items() for word in ("--account", f"{email}={port}")]
    port = start_emulator("emulators.identity", *accounts)
    metadata = {email: f"127.0.0.1:{port}" for email, port in ports.items()}
    return IdentityEmulator(f"http://127.0.0.1:{port}", metadata)


@pytest.fixture(scope="session")
def cloud_run_host(start_emulator: Start) -> str:
    """host:port of a Cloud Run emulator that everybody may invoke; it knows IMAGE."""
    image = f"{IMAGE}={sys.executable} -c {_quoted(_HEALTHY)}"
    arguments = ["--location", REGION, "--runtime", "process", "--image", image, "--grace", "0.5"]
    return f"127.0.0.1:{start_emulator('emulators.cloud_run', *arguments)}"


def _quoted(program: str) -> str:
    return '"' + program.replace('"', '\\"') + '"'


@pytest.fixture(scope="session")
def storage_host(start_emulator: Start, identity_emulator: IdentityEmulator) -> str:
    """http://host:port of a Cloud Storage emulator with BUCKET; it verifies signed URLs."""
    arguments = ["--keys-base", identity_emulator.url, "--bucket", BUCKET]
    return f"http://127.0.0.1:{start_emulator('emulators.cloud_storage', *arguments)}"
