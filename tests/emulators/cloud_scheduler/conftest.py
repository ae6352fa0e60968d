"""A target, the account that it is called as, and schedulers that call it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.emulators.cloud_scheduler.target import Target, serving

SCHEDULER = "dormouse-scheduler@demo-dormouse.iam.gserviceaccount.com"
PLACE = "projects/demo-dormouse/locations/europe-west1"


@pytest.fixture
def target() -> Iterator[Target]:
    """A target that answers 200 at once, until told otherwise."""
    with serving() as target:
        yield target


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
    """A running scheduler emulator, and its REST API as any program would call it."""

    url: str
    process: Any

    def job(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = self.call("GET", f"/v1/{PLACE}/jobs/{name}").json()
        return job

    def create(self, name: str, **fields: Any) -> httpx2.Response:
        job = {"name": f"{PLACE}/jobs/{name}", "schedule": "0 0 1 1 *"} | fields
        return self.call("POST", f"/v1/{PLACE}/jobs", job)

    def run(self, name: str) -> httpx2.Response:
        return self.call("POST", f"/v1/{PLACE}/jobs/{name}:run", {})

    def attempts(self, name: str) -> list[dict[str, Any]]:
        path = f"/emulator/v1/attempts?job={PLACE}/jobs/{name}"
        attempts: list[dict[str, Any]] = self.call("GET", path).json()["attempts"]
        return attempts

    def clock(self, verb: str, **parameters: float) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("POST", f"/emulator/v1/clock:{verb}", parameters).json()
        return answer

    def call(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return httpx2.request(method, f"{self.url}{path}", json=body, trust_env=False, timeout=60)


@pytest.fixture
def start_scheduler(
    processes: Any, free_port: Callable[[], int], accounts: Accounts, tmp_path: Path
) -> Iterator[Callable[..., Scheduler]]:
    """Starts a scheduler with the jobs of a file, each at one address, and a short minute."""
    started = []

    def start(url: str, *jobs: dict[str, Any], minute: float = 0.25, state: str = "state") -> Scheduler:
        port = free_port()
        flags = ["--metadata", accounts.metadata, "--minute", str(minute), "--account", SCHEDULER]
        flags += ["--project", "demo-dormouse", "--state", str(tmp_path / state), "--target", f"t={url}"]
        if jobs:
            file = tmp_path / f"jobs-{port}.json"
            file.write_text(json.dumps(jobs))
            flags += ["--jobs", str(file)]
        process = processes.start("emulators.cloud_scheduler", port, *flags)
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
