"""What is one instance doing? STARTING, SERVING, FROZEN while no request is open, STOPPING, and then gone.

It never decides whether it should exist: the autoscaler does.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from emulators.cloud_run.instances.cpu import Cpu
from emulators.cloud_run.instances.environment import launch_of
from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.instances.startup import wait_until_started
from emulators.cloud_run.model.revision import RevisionSpec
from emulators.cloud_run.runtime.contract import Container, Ending, Runtime, RuntimeFailure

# The CPU goes away shortly after the last response, not within it.
_FREEZE_AFTER_SECONDS = 0.02
_LOG_TAIL_BYTES = 2000
# A kill that did not take, because the runtime was not there for it, is repeated.
_KILL_AGAIN_SECONDS = 5.0


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
        self.start_time = datetime.now(UTC)
        self.in_flight = 0
        self.idle_since = asyncio.get_running_loop().time()
        self.started_at: float | None = None
        self.stop_asked = False
        self.failure = ""
        self.exit_code: int | None = None
        self.container: Container | None = None
        self._settings = settings
        self._runtime = runtime
        self._owner = owner
        self._launch = launch_of(revision, self.id, settings)
        self._freezing: asyncio.TimerHandle | None = None
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
        """A request or WebSocket begins; `awake` tells when its first byte may be sent."""
        self.in_flight += 1
        self._give_cpu()
        if self.state is State.FROZEN:
            self.state = State.SERVING

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
            self.idle_since = asyncio.get_running_loop().time()
            self._freeze_soon()
        self._owner.instance_released()

    def stop(self) -> None:
        """SIGTERM, CPU to obey, and SIGKILL when the grace is over."""
        if self.state in (State.STOPPING, State.GONE):
            return
        self._give_cpu()
        self.state = State.STOPPING
        self.stop_asked = True
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
            container = self.container = await self._runtime.launch(self._launch)
            self._cpu = Cpu(container, frozen=self._frozen, broken=self.fail)
            if self.stop_asked:
                self._ending = asyncio.create_task(self._end(container))
            ended = asyncio.create_task(container.wait())
            await self._start(container, ended)
            self._learn(await ended)
        except RuntimeFailure as error:
            self.failure = str(error)
        finally:
            await self._bury()

    async def _start(self, container: Container, ended: asyncio.Task[Ending]) -> None:
        probe = wait_until_started(container.host, container.port, self.revision.probe)
        probing = asyncio.create_task(probe)
        await asyncio.wait({probing, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not probing.done():
            probing.cancel()
        elif self.state is not State.STARTING:
            probing.exception()
        elif probing.exception() is not None:
            self.fail("The startup probe did not succeed within its allotted time.")
        else:
            self.state = State.SERVING
            self.started_at = self.idle_since = asyncio.get_running_loop().time()
            self._freeze_soon()
            self._owner.instance_started(self)

    def _learn(self, ending: Ending) -> None:
        # Dead: no request may be sent there while its remains are taken away.
        self.state = State.STOPPING
        self.exit_code = ending.code
        if ending.reason and not self.failure:
            self.failure = ending.reason
            self.note(ending.reason)

    async def _end(self, container: Container) -> None:
        with suppress(RuntimeFailure):
            if self._cpu is not None:
                await self._cpu.given()
            await container.terminate()
        await asyncio.sleep(self._settings.grace.total_seconds())
        await self._kill(container)

    async def _kill(self, container: Container) -> None:
        while True:
            with suppress(RuntimeFailure):
                await container.kill()
            await asyncio.sleep(_KILL_AGAIN_SECONDS)

    def _cancel_ending(self) -> None:
        if self._ending is not None:
            self._ending.cancel()

    async def _bury(self) -> None:
        self._cancel_freezing()
        self._cancel_ending()
        if self.container is not None:
            await self.container.destroy()
        self.state = State.GONE
        self._owner.instance_gone(self)

    def _freeze_soon(self) -> None:
        if self._settings.freeze and self.revision.cpu_idle and self.in_flight == 0:
            loop = asyncio.get_running_loop()
            self._cancel_freezing()
            self._freezing = loop.call_later(_FREEZE_AFTER_SECONDS, self._freeze)

    def _freeze(self) -> None:
        if self.state is State.SERVING and self.in_flight == 0 and self._cpu is not None:
            self._cpu.take()

    def _frozen(self) -> None:
        if self.state is State.SERVING:
            self.state = State.FROZEN

    def _give_cpu(self) -> None:
        self._cancel_freezing()
        if self._cpu is not None:
            self._cpu.give()

    def _cancel_freezing(self) -> None:
        if self._freezing is not None:
            self._freezing.cancel()
            self._freezing = None
