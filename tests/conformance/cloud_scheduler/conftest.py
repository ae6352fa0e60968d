"""The stock clients of Cloud Scheduler over each transport, and jobs that end with their check."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import grpc
import httpx2
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.scheduler_v1 import CloudSchedulerAsyncClient, CloudSchedulerClient
from google.cloud.scheduler_v1.services.cloud_scheduler import transports
from google.cloud.scheduler_v1.types import HttpTarget, Job

from tests.conformance.cloud_scheduler.blocking import BlockingClient
from tests.conformance.cloud_scheduler.jobs import ONCE
from tests.emulator_processes import (
    API,
    PROJECT,
    IdentityEmulator,
    Start,
    eventually,
    free_port,
    identity_emulator,
    start_emulator,
)
from tests.emulators.cloud_scheduler.target import Target, serving

__all__ = ["identity_emulator", "start_emulator"]


@dataclass(frozen=True)
class Emulator:
    """One that a check may move through time."""

    port: int
    grpc_port: int

    def client(self, transport: str = "grpc") -> CloudSchedulerClient:
        """The stock client, with nothing but an address and no credentials."""
        if transport == "rest":
            options = {"api_endpoint": f"http://127.0.0.1:{self.port}"}
            return CloudSchedulerClient(
                transport="rest", credentials=AnonymousCredentials(), client_options=options
            )
        channel = grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}")
        return CloudSchedulerClient(transport=transports.CloudSchedulerGrpcTransport(channel=channel))

    def asynchronous(self) -> CloudSchedulerAsyncClient:
        """The asynchronous client; to be made in a running loop."""
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc_port}")
        return CloudSchedulerAsyncClient(
            transport=transports.CloudSchedulerGrpcAsyncIOTransport(channel=channel)
        )

    def now(self) -> datetime:
        return datetime.fromisoformat(self._ask("GET", "clock")["now"])

    def hold(self) -> None:
        self._ask("POST", "clock:hold")

    def advance(self, seconds: float) -> None:
        self._ask("POST", "clock:advance", {"seconds": seconds})

    def advance_to(self, moment: datetime) -> None:
        self.advance((moment - self.now()).total_seconds())

    def attempts(self, job: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", f"attempts?job={job}")["attempts"]
        return found

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        url = f"http://127.0.0.1:{self.port}/emulator/v1/{path}"
        return httpx2.request(method, url, json=body, trust_env=False, timeout=200).raise_for_status().json()


def start(start_emulator: Start, identity: IdentityEmulator) -> Emulator:
    port = free_port()
    flags = ["--grpc-port", str(port), "--metadata", identity.metadata[API]]
    return Emulator(start_emulator("emulators.cloud_scheduler", *flags), port)


@pytest.fixture(scope="session")
def shared(start_emulator: Start, identity_emulator: IdentityEmulator) -> Emulator:
    """One for all checks that leave its clock alone."""
    return start(start_emulator, identity_emulator)


@pytest.fixture(scope="module")
def held(start_emulator: Start, identity_emulator: IdentityEmulator) -> Emulator:
    """One for each module of checks that are marked emulator_only; its clock stands still until it is moved."""
    emulator = start(start_emulator, identity_emulator)
    emulator.hold()
    return emulator


@pytest.fixture(scope="session", params=["grpc", "rest", "grpc_asyncio"])
def client(request: pytest.FixtureRequest, real_project: str | None) -> Iterator[Any]:
    """The stock client over each of its transports."""
    emulator: Emulator | None = None if real_project else request.getfixturevalue("shared")
    if request.param == "grpc_asyncio":
        blocking = BlockingClient(emulator.asynchronous if emulator else CloudSchedulerAsyncClient)
        yield blocking
        blocking.close()
    else:
        yield emulator.client(request.param) if emulator else CloudSchedulerClient(transport=request.param)


@pytest.fixture(scope="session")
def parent(real_project: str | None, real_location: str) -> str:
    """Where the jobs live."""
    return f"projects/{real_project or PROJECT}/locations/{real_location}"


@pytest.fixture
def wanted(parent: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Job]]:
    """Jobs as they are asked for, that come due once a year; those that were created are deleted afterwards."""
    names: list[str] = []

    def make(**fields: Any) -> Job:
        fields = {"schedule": "0 0 1 1 *", "http_target": HttpTarget(uri="https://example.com/")} | fields
        job = Job({"name": f"{parent}/jobs/conformance-{uuid4().hex[:16]}"} | fields)
        names.append(job.name)
        return job

    yield make
    for used in [name for name in ("client", "caller") if name in request.fixturenames]:
        client = request.getfixturevalue(used)
        for job in list(client.list_jobs(parent=parent, **ONCE)):
            if job.name in names:
                client.delete_job(name=job.name, **ONCE)


@pytest.fixture(scope="module")
def caller(held: Emulator) -> CloudSchedulerClient:
    """A client of the emulator whose clock is held."""
    return held.client()


@pytest.fixture
def target() -> Iterator[Target]:
    """Records the calls of jobs, and answers as it is told."""
    with serving() as target:
        yield target


@pytest.fixture
def called(
    caller: CloudSchedulerClient, held: Emulator, wanted: Callable[..., Job], parent: str
) -> Callable[..., Job]:
    """Creates a job, runs it once by hand, and gives it back after so many attempts."""

    def call(attempts: int = 1, **fields: Any) -> Job:
        job = caller.create_job(parent=parent, job=wanted(**fields), **ONCE)
        caller.run_job(name=job.name, **ONCE)
        eventually(lambda: len(held.attempts(job.name)) >= attempts, 30)
        return caller.get_job(name=job.name, **ONCE)

    return call
