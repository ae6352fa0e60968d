"""What is one instance doing? STARTING, SERVING, FROZEN while no request is open, STOPPING, and then gone.

It never decides whether it should exist: the autoscaler does.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from emulators.cloud_run.instances.environment import launch_of
from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.instances.startup import wait_until_started
from emulators.cloud_run.model.revision import RevisionSpec
from emulators.cloud_run.runtime.ports import free_port
from emulators.cloud_run.runtime.process import ContainerProcess, Mount, launch

# The CPU goes away shortly after the last response, not within it.
_FREEZE_AFTER_SECONDS = 0.02
_LOG_TAIL_BYTES = 2000


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

    def __init__(self, revision: RevisionSpec, settings: InstanceSettings, owner: Owner) -> None:
        self.id = uuid.uuid4().hex[:16]
        self.revision = revision
        self.state = State.STARTING
        self.port = free_port()
        self.start_time = datetime.now(UTC)
        self.in_flight = 0
        self.idle_since = asyncio.get_running_loop().time()
        self.started_at: float | None = None
        self.stop_asked = False
        self.measured = False
        self.failure = ""
        self.exit_code: int | None = None
        self.process: ContainerProcess | None = None
        self._settings = settings
        self._owner = owner
        self._launch = launch_of(revision, self.id, self.port, settings)
        self._freezing: asyncio.TimerHandle | None = None
        self._killing: asyncio.TimerHandle | None = None
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

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """Its workspaces."""
        return self._launch.mounts

    def acquire(self) -> None:
        """A request or WebSocket begins: the CPU is back before its first byte."""
        self.in_flight += 1
        self.measured = False
        self._cancel_freezing()
        if self.state is State.FROZEN and self.process is not None:
            self.process.thaw()
            self.state = State.SERVING

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
        self._cancel_freezing()
        self.state = State.STOPPING
        self.stop_asked = True
        if self.process is not None:
            self._end(self.process)

    def fail(self, reason: str) -> None:
        """End at once for a reason that the log keeps: a limit was passed."""
        if self.process is not None and self.state is not State.GONE:
            self.failure = reason
            self.note(reason)
            self.process.kill()

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
            "pid": self.process.pid if self.process else None,
            "port": self.port,
            "state": str(self.state),
            "revision": self.revision.name,
            "startTime": self.start_time.isoformat(),
            "requestsInFlight": self.in_flight,
        }

    async def _live(self) -> None:
        try:
            self.process = await launch(self._launch, tmpfs=self._settings.tmpfs)
            if self.stop_asked:
                self._end(self.process)
            ended = asyncio.create_task(self.process.wait())
            await self._start(ended)
            self.exit_code = await ended
        except (OSError, ChildProcessError) as error:
            self.failure = str(error)
        finally:
            await self._bury()

    async def _start(self, ended: asyncio.Task[int]) -> None:
        probing = asyncio.create_task(wait_until_started(self.port, self.revision.probe))
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

    def _end(self, process: ContainerProcess) -> None:
        process.terminate()
        loop = asyncio.get_running_loop()
        self._killing = loop.call_later(self._settings.grace.total_seconds(), process.kill)

    async def _bury(self) -> None:
        self._cancel_freezing()
        if self._killing is not None:
            self._killing.cancel()
        if self.process is not None:
            await self.process.destroy()
        self.state = State.GONE
        self._owner.instance_gone(self)

    def _freeze_soon(self) -> None:
        if self._settings.freeze and self.revision.cpu_idle and self.in_flight == 0:
            loop = asyncio.get_running_loop()
            self._cancel_freezing()
            self._freezing = loop.call_later(_FREEZE_AFTER_SECONDS, self._freeze)

    def _freeze(self) -> None:
        if self.state is State.SERVING and self.in_flight == 0 and self.process is not None:
            self.process.freeze()
            self.state = State.FROZEN

    def _cancel_freezing(self) -> None:
        if self._freezing is not None:
            self._freezing.cancel()
            self._freezing = None
