"""The running half of the emulator within a test: real listeners and real processes, and a clock at hand."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from emulators.clock import Clock
from emulators.cloud_run.front.invoker import Invokers
from emulators.cloud_run.hosting import Hosting, Site
from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.instances.usage import Allocation
from emulators.cloud_run.model.probe import Probe, TcpSocket
from emulators.cloud_run.model.quantities import MIB
from emulators.cloud_run.model.revision import RevisionSpec
from emulators.cloud_run.model.scaling import InstanceRange
from emulators.cloud_run.rights import rights_of
from emulators.cloud_run.runtime.process.runtime import ProcessRuntime
from emulators.cloud_run.store import Store
from emulators.faults.gate import FaultGate
from tests.emulators.cloud_run.driver import DEADLINE_SECONDS

IMAGE = "container"
SERVICE = "svc"
_CONTAINER = Path(__file__).with_name("container.py")


@dataclass
class Recorder:
    """Writes down what usage is told, and when."""

    clock: Clock
    facts: list[tuple[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def __getattr__(self, fact: str) -> Callable[..., None]:
        def told(*subject: Any) -> None:
            self.facts.append((fact, *subject))
            self.times.append(self.clock.time())

        return told

    def names(self) -> list[str]:
        return [fact[0] for fact in self.facts]

    def count(self, fact: str) -> int:
        return self.names().count(fact)

    def time_of(self, fact: str) -> float:
        return self.times[self.names().index(fact)]

    def allocations(self) -> list[Allocation]:
        return [fact[1] for fact in self.facts if fact[0] == "instance_started"]


class NoReports:
    """Nobody asks what became of revisions here."""

    def instance_started(self, service_id: str, revision: str) -> None:
        """Ignore it."""

    def instance_failed(self, service_id: str, revision: str, message: str, *, late: bool) -> None:
        """Ignore it."""


@dataclass
class Hosted:
    """One service, its instances, and what moves them."""

    clock: Clock
    gate: FaultGate
    usage: Recorder
    hosting: Hosting
    site: Site
    http: httpx2.AsyncClient

    @property
    def uri(self) -> str:
        return self.site.listener.uri

    def apply(self, revision: RevisionSpec, minimum: int, maximum: int, *, exact: bool = False) -> None:
        self.site.autoscaler.apply(revision, InstanceRange(minimum, maximum, exact))

    async def get(self, path: str = "") -> httpx2.Response:
        return await self.http.get(f"{self.uri}/{path}")

    async def advance(self, **by: float) -> None:
        await self.clock.advance(timedelta(**by))

    def states(self) -> list[str]:
        return [str(instance.state) for instance in self.site.autoscaler.instances]

    def in_flight(self) -> int:
        return sum(instance.in_flight for instance in self.site.autoscaler.instances)

    def exits(self) -> list[str]:
        return [end.reason for end in self.site.autoscaler.exits]


def a_probe(**fields: Any) -> Probe:
    """Cloud Run's default startup probe, unless said otherwise."""
    minutes = timedelta(minutes=4)
    default = Probe(TcpSocket(), 8080, timedelta(0), minutes, minutes, 1)
    return replace(default, **fields)


def a_revision(name: str = "svc-00001", **fields: Any) -> RevisionSpec:
    default = RevisionSpec(
        service_id=SERVICE,
        name=name,
        image=IMAGE,
        command=(),
        args=(),
        env={},
        volumes=(),
        memory_bytes=512 * MIB,
        cpu_millis=1000,
        container_port=8080,
        concurrency=80,
        timeout=timedelta(hours=1),
        cpu_idle=True,
        startup=a_probe(),
    )
    return replace(default, **fields)


@asynccontextmanager
async def hosted(state: Path, **settings: Any) -> AsyncIterator[Hosted]:
    """A service without a revision; everything of it has ended afterwards."""
    clock = Clock()
    gate, usage = FaultGate(clock), Recorder(clock)
    chosen = {"grace": timedelta(seconds=1), **settings}
    runtime = ProcessRuntime(
        state, {IMAGE: (sys.executable, str(_CONTAINER))}, workspace_bound="soft", why="a test"
    )
    await runtime.open()
    rights = rights_of(Store(state, clock), clock, gate, keys_url=None, invokers=())
    hosting = Hosting(
        InstanceSettings(state=state, clock=clock, gate=gate, usage=usage, **chosen),
        runtime,
        Invokers(rights.tokens, rights.access),
    )
    site = hosting.reserve(SERVICE, NoReports())
    await hosting.open(site)
    limits = httpx2.Limits(max_keepalive_connections=0)
    try:
        async with httpx2.AsyncClient(limits=limits, timeout=DEADLINE_SECONDS) as http:
            yield Hosted(clock, gate, usage, hosting, site, http)
    finally:
        await hosting.shut_all()
        await runtime.close()


async def eventually(read: Callable[[], Any]) -> Any:
    """What `read` returns as soon as it is true."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE_SECONDS
    while not (value := read()):
        assert loop.time() < deadline, f"still {value!r} after {DEADLINE_SECONDS} s"
        await asyncio.sleep(0.02)
    return value
