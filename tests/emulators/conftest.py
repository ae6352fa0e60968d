"""Starts emulators as real processes on free ports, and ends them."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

READY_SECONDS = 30
ROOT = Path(__file__).parents[2]


@dataclass
class Processes:
    """The emulators that a test module started."""

    log_directory: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, module: str, port: int, *arguments: str) -> subprocess.Popen[bytes]:
        """Run ``python -m module --port port ...`` and return once it answers."""
        command = [sys.executable, "-m", module, "--port", str(port), *arguments]
        log = self.log_directory / f"{module}-{port}-{len(self.started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        self.started.append(process)
        deadline = time.monotonic() + READY_SECONDS
        while not answers(f"http://127.0.0.1:{port}/"):
            assert process.poll() is None, f"{module} ended with {process.returncode}:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{module} was not ready:\n{log.read_text()}"
            time.sleep(0.02)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """End a process by SIGTERM and return its exit code."""
        process.terminate()
        return process.wait(10)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process as a crash would."""
        process.kill()
        process.wait(10)


def answers(url: str) -> bool:
    """Whether something answers there with 200."""
    try:
        return httpx2.get(url, trust_env=False, timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """A launcher whose processes end with the module."""
    launcher = Processes(tmp_path_factory.mktemp("logs"))
    yield launcher
    for process in launcher.started:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives ports that nobody listens on."""

    def choose() -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return int(listener.getsockname()[1])

    return choose


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits until a condition holds; fails after ten seconds."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            time.sleep(0.02)

    return wait
