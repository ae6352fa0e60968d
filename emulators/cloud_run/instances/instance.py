"""What is one instance doing? STARTING, SERVING, FROZEN while no request is open, STOPPING, and then gone.

It never decides whether it should exist: the autoscaler does. Its probes go by the emulator's clock. The freeze and the
grace between SIGTERM and SIGKILL go by real time, as they are about a real process that has work to do then; a jump of
the clock waits for it.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from emulators.cloud_run.instances.account import Account
from emulators.cloud_run.instances.cpu import Cpu, IdleCpu
from emulators.cloud_run.instances.environment import launch_of
from emulators.cloud_run.instances.liveness import has_failed
from emulators.cloud_run.instances.permission import NotInTime, permission
from emulators.cloud_run.instances.probing import Health, ask
from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.instances.startup import NotStarted, Startup
from emulators.cloud_run.model.probe import Probe
from emulators.cloud_run.model.revision import RevisionSpec
from emulators.cloud_run.runtime.contract import Container, Ending, Runtime, RuntimeFailure

_LOG_TAIL_BYTES = 2000
# A kill that did not take, because the runtime was not there for it, is repeated.
_KILL_AGAIN_SECONDS = 5.0
_BURIAL = timedelta(seconds=5)


class State(StrEnum):
    """Where an instance is in its life."""

    STARTING = "STARTING"
    SERVING = "SERVING"
    FROZEN = "FROZEN"
    STOPPING = "STOPPING"
    GONE = "GONE"


class Owner(Protocol):
    """Who started an instance and is told about it."""

    def instance_started(self, instance: Instance) -> None:
        """It has passed its startup probe."""

    def instance_released(self) -> None:
        """One of its requests has ended."""

    def instance_gone(self, instance: Instance) -> None:
        """It has ended and nothing of it is left."""


class Instance:
    """One container of a revision, from start to burial."""

    def __init__(
        self, revision: RevisionSpec, settings: InstanceSettings, runtime: Runtime, owner: Owner
    ) -> None:
        self.id = uuid.uuid4().hex[:16]
        self.revision = revision
        self.state = State.STARTING
        self.start_time = settings.clock.now()
        self.in_flight = 0
        self.idle_since = settings.clock.time()
        self.started_at: float | None = None
        self.stop_asked = False
        self.failure = ""
        self.late = False
        self.exit_code: int | None = None
        self.container: Container | None = None
        self.account = Account(self.id, settings.usage)
        self._settings = settings
        self._clock = settings.clock
        self._runtime = runtime
        self._owner = owner
        self._launch = launch_of(revision, self.id, settings)
        self._stopped = asyncio.Event()
        self._probing = False
        self._cpu: Cpu | None = None
        self._ending: asyncio.Task[None] | None = None
        self.life = asyncio.create_task(self._live())

    @property
    def available(self) -> bool:
        """Whether it can be given a request now."""
        serving = self.state in (State.SERVING, State.FROZEN) and not self.failure
        return serving and self.in_flight < self.revision.concurrency

    @property
    def alive(self) -> bool:
        """Whether it counts as an instance of the service: starting or serving, not on its way out."""
        return self.state in (State.STARTING, State.SERVING, State.FROZEN)

    def acquire(self) -> None:
        """A request or WebSocket is given to it; `awake` tells when its first byte may be sent."""
        self.in_flight += 1
        self._give_cpu()

    async def awake(self) -> tuple[str, int]:
        """Its host and port, once it has its CPU; raises RuntimeFailure when that cannot be given back."""
        if self.container is None or self._cpu is None:
            raise RuntimeFailure("The instance has not started.")
        await self._cpu.given()
        return self.container.host, self.container.port

    def release(self) -> None:
        """A request or WebSocket has ended; the last one takes the CPU along."""
        self.in_flight -= 1
        if self.in_flight == 0:
            self.idle_since = self._clock.time()
            self._freeze_soon()
        self._owner.instance_released()

    def stop(self) -> None:
        """SIGTERM, CPU to obey, and SIGKILL when the grace is over."""
        if self.state in (State.STOPPING, State.GONE):
            return
        self._give_cpu()
        self.state = State.STOPPING
        self.stop_asked = True
        self._stopped.set()
        self.account.stopping()
        if self.container is not None:
            self._ending = asyncio.create_task(self._end(self.container))

    def fail(self, reason: str) -> None:
        """End at once for a reason that the log keeps: a limit was passed."""
        if self.container is not None and self.state is not State.GONE and not self.failure:
            self.failure = reason
            self.note(reason)
            self._cancel_ending()
            self._ending = asyncio.create_task(self._kill(self.container))

    def note(self, line: str) -> None:
        """Add a line of the platform to the instance's log."""
        with self._launch.log.open("a") as log:
            log.write(f"{line}\n")

    def log_tail(self) -> str:
        """The last lines of the log."""
        try:
            return self._launch.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""

    def describe(self) -> dict[str, Any]:
        """What an observer sees."""
        return {
            "id": self.id,
            "pid": self.container.pid if self.container else None,
            "port": self.container.port if self.container else None,
            "state": str(self.state),
            "revision": self.revision.name,
            "startTime": self.start_time.isoformat(),
            "requestsInFlight": self.in_flight,
            **(self.container.describe() if self.container else {}),
        }

    async def _live(self) -> None:
        try:
            await self._permitted()
            with self._clock.pinned():
                container = self.container = await self._runtime.launch(self._launch)
            self.account.started(self.revision)
            self._cpu = Cpu(
                container,
                frozen=self._frozen,
                broken=self.fail,
                throttled=self._settings.idle_cpu is IdleCpu.THROTTLED,
            )
            if self.stop_asked:
                self.account.stopping()
                self._ending = asyncio.create_task(self._end(container))
            await self._run(container)
        except RuntimeFailure as error:
            self.failure = str(error)
            self.late = isinstance(error, NotInTime)
        finally:
            await self._bury()

    async def _permitted(self) -> None:
        longest = self._settings.readiness_deadline
        gate, service_id = self._settings.gate, self.revision.service_id
        await permission(gate, service_id, self._stopped, self._clock, longest=longest)

    async def _run(self, container: Container) -> None:
        ended = asyncio.create_task(container.wait())
        watch = asyncio.create_task(self._watch(container))
        try:
            self._learn(await ended)
        finally:
            watch.cancel()

    async def _watch(self, container: Container) -> None:
        """Ask whether it has started, and then whether it is still well."""
        try:
            host, port = container.host, self._port(container, self.revision.startup)
            await Startup(host, port, self.revision.startup, self._clock).succeeds()
        except NotStarted:
            if self.state is State.STARTING:
                self.fail("The startup probe did not succeed within its allotted time.")
            return
        if self.state is State.STARTING:
            self._started()
            await self._watch_life(container)

    async def _watch_life(self, container: Container) -> None:
        if (probe := self.revision.liveness) is not None:
            await has_failed(probe, lambda: self._probed(container, probe), self._clock)
            self.fail(
                f"The liveness probe has failed as often as its threshold of {probe.failure_threshold} allows."
            )

    def _started(self) -> None:
        self.state = State.SERVING
        self.started_at = self.idle_since = self._clock.time()
        self.account.ready()
        self._freeze_soon()
        self._owner.instance_started(self)

    async def _probed(self, container: Container, probe: Probe) -> Health:
        """Ask a probe once; the instance has its CPU meanwhile, and is billed for it."""
        if self._cpu is None or self.state is State.STOPPING:
            return Health.WELL
        self._probing = True
        self.account.probe_began()
        self._give_cpu()
        try:
            await self._cpu.given()
            return await ask(container.host, self._port(container, probe), probe)
        except RuntimeFailure:
            return Health.UNWELL
        finally:
            self._probing = False
            self.account.probe_ended()
            self._freeze_soon()

    def _port(self, container: Container, probe: Probe) -> int:
        # A process listens where there was room, and not on the port that the template names.
        return container.port if probe.port == self.revision.container_port else probe.port

    def _learn(self, ending: Ending) -> None:
        # Dead: no request may be sent there while its remains are taken away.
        self.state = State.STOPPING
        self.exit_code = ending.code
        self.account.gone()
        if ending.reason and not self.failure:
            self.failure = ending.reason
            self.note(ending.reason)

    async def _end(self, container: Container) -> None:
        grace = self._settings.grace
        with self._clock.pinned((grace + _BURIAL).total_seconds()):
            with suppress(RuntimeFailure):
                if self._cpu is not None:
                    await self._cpu.given()
                await container.terminate()
            await asyncio.sleep(grace.total_seconds())
            await self._kill(container)

    async def _kill(self, container: Container) -> None:
        with self._clock.pinned(_BURIAL.total_seconds()):
            while True:
                with suppress(RuntimeFailure):
                    await container.kill()
                await asyncio.sleep(_KILL_AGAIN_SECONDS)

    def _cancel_ending(self) -> None:
        if self._ending is not None:
            self._ending.cancel()

    async def _bury(self) -> None:
        self.account.gone()
        if self._cpu is not None:
            self._cpu.leave()
        self._cancel_ending()
        if self.container is not None:
            with self._clock.pinned(_BURIAL.total_seconds()):
                await self.container.destroy()
        self.state = State.GONE
        self._owner.instance_gone(self)

    def _freeze_soon(self) -> None:
        unused = self.state is State.SERVING and self.in_flight == 0 and not self._probing
        full = self._settings.idle_cpu is IdleCpu.FULL or not self.revision.cpu_idle
        if unused and not full and self._cpu is not None:
            self._cpu.take_soon()

    def _frozen(self) -> None:
        if self.state is State.SERVING:
            self.state = State.FROZEN

    def _give_cpu(self) -> None:
        if self._cpu is not None:
            self._cpu.give()
        if self.state is State.FROZEN:
            self.state = State.SERVING
