"""Starts real agent processes and the key server that their control plane signs with."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.agent.driver import CONTROLLER, SERVICE, RunningAgent, Signer, eventually, free_port
from tests.agent.store import Store

WORKSTATION = Path(__file__).resolve().parents[2] / "workstation"


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    signer = Signer()
    yield signer
    signer.server.shutdown()
    signer.server.server_close()


def launch(signer: Signer, home: Path, root: Path, environment: dict[str, str]) -> RunningAgent:
    """Start an agent process and wait until it answers."""
    root.mkdir(exist_ok=True)
    port, user_port = free_port(), free_port()
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(WORKSTATION),
        "PORT": str(port),
        "K_SERVICE": SERVICE,
        "DORMOUSE_BIND": "127.0.0.1",
        "DORMOUSE_WORKSPACE": str(root),
        "DORMOUSE_USER_PORT": str(user_port),
        "DORMOUSE_CONTROLLERS": f"somebody@example.com,{CONTROLLER}",
        "GOOGLE_CERTS_URL": signer.url,
    }
    process = subprocess.Popen([sys.executable, "-m", "agent"], env=variables | environment, cwd=home)
    running = RunningAgent(process, port, user_port, root, signer)
    try:
        eventually(lambda: _answers(running), 20)
    except BaseException:
        running.kill()
        raise
    return running


@pytest.fixture
def start_agent(signer: Signer, tmp_path: Path) -> Iterator[Callable[..., RunningAgent]]:
    """Start agents; each has a workspace of its own and ends with the test."""
    started: list[RunningAgent] = []

    def start(workspace: Path | None = None, **environment: str) -> RunningAgent:
        root = workspace or tmp_path / f"workspace-{len(started)}"
        started.append(launch(signer, tmp_path, root, environment))
        return started[-1]

    yield start
    for running in started:
        running.kill()


@pytest.fixture(scope="module")
def shared(signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    """One ready agent for all tests of a module that only ask, or leave nothing behind."""
    home = tmp_path_factory.mktemp("shared")
    running = launch(signer, home, home / "workspace", {})
    running.load()
    yield running
    running.kill()


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store of objects."""
    store = Store()
    yield store
    store.close()


def _answers(running: RunningAgent) -> bool:
    assert running.process.poll() is None, "the agent ended at its start"
    try:
        return running.http.get("/-/health").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture
def empty(start_agent: Callable[..., RunningAgent]) -> RunningAgent:
    """An agent as Cloud Run starts it: nothing is loaded."""
    return start_agent()


@pytest.fixture
def agent(empty: RunningAgent) -> RunningAgent:
    """An agent that is ready, in epoch 1."""
    empty.load()
    return empty


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A workspace that is a tmpfs of 4 MiB."""
    root = tmp_path / "small"
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "dormouse-test", root], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.fail(f"this test mounts a tmpfs, which needs root: {mounted.stderr}")
    yield root
    subprocess.run(["umount", "-l", root], check=True)
