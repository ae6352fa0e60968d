"""One container of the engine, from its creation to its removal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from emulators.cloud_run.runtime.contract import Ending, Launch, RuntimeFailure, memory_exceeded
from emulators.cloud_run.runtime.docker import freezer
from emulators.cloud_run.runtime.docker.bounds import PIDS
from emulators.cloud_run.runtime.docker.doors import Doors
from emulators.cloud_run.runtime.docker.engine import Client, Conflict, Engine, NotThere
from emulators.cloud_run.runtime.docker.logs import LogFollower

_KILLED = 137
_ANSWER_SECONDS = 0.2


class DockerContainer:
    """A container; it knows its pid and address once it has been started."""

    def __init__(
        self,
        engine: Engine,
        launch: Launch,
        container_id: str,
        doors: Mapping[int, int],
        *,
        removed: Callable[[Launch], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._launch = launch
        self._removed = removed
        self._doors = Doors(doors)
        self._follower: LogFollower | None = None
        self._ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._out_of_memory = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._health: str | None = None
        self._network = ""
        self.id = container_id
        self.pid: int | None = None
        self.host = ""
        self.port = launch.revision.container_port

    @property
    def started(self) -> bool:
        """Whether the engine has started it."""
        return self._follower is not None

    async def start(self) -> None:
        """Run it, and open its doors before anybody asks something of it. Raises RuntimeFailure."""
        await self._engine.call(lambda client: client.api.start(self.id))
        self._follower = LogFollower(self.id, self._launch.log)
        facts = await self._inspect()
        [(self._network, network)] = facts["NetworkSettings"]["Networks"].items()
        self.host = network["IPAddress"]
        self._health = (facts["State"].get("Health") or {}).get("Status")
        # One that is dead by now has no pid; how it ended is told by `wait`.
        self.pid = facts["State"]["Pid"] or None
        if self.pid and self._doors.ports:
            await self._open_doors(self.pid)

    async def wait(self) -> Ending:
        """How it ended, as the engine tells it."""
        return await asyncio.shield(self._ended)

    async def freeze(self) -> None:
        """The engine's pause: the kernel freezes the whole cgroup."""
        await self._tell(lambda client: client.api.pause(self.id))

    async def thaw(self) -> None:
        """The end of the pause."""
        try:
            await self._unpause()
        except RuntimeFailure as error:
            if "is not paused" in str(error):
                return
            if "not paused" not in str(error):
                raise
            # The kernel was quicker, and the engine still takes it for paused: their views must meet again.
            await self._switch(frozen=True)
            await self._unpause()

    async def terminate(self) -> None:
        """SIGTERM to the init, which passes it on."""
        await self._tell(lambda client: client.api.kill(self.id, signal="SIGTERM"))

    async def kill(self) -> None:
        """SIGKILL to all of it."""
        await self._tell(lambda client: client.api.kill(self.id, signal="SIGKILL"))

    async def destroy(self) -> None:
        """Close its doors, wait for its last words, remove it."""
        self._doors.close()
        if self._follower is not None and self._ended.done():
            await self._follower.last_words()
        with suppress(RuntimeFailure):
            await self._engine.call(lambda client: client.api.remove_container(self.id, v=True, force=True))
        await self._removed(self._launch)

    def describe(self) -> dict[str, Any]:
        """Where it is, how the engine finds it, and what bounds it."""
        limits = {
            "memoryBytes": self._launch.revision.memory_bytes,
            "cpuMillis": self._launch.revision.cpu_millis,
            "pids": PIDS,
        }
        return {
            "container": self.id,
            "host": self.host,
            "network": self._network,
            "health": self._health,
            "doors": list(self._doors.ports),
            "limits": limits,
        }

    def became(self, health: str) -> None:
        """The image's own health check has changed its mind; Cloud Run has none, so nothing follows."""
        self._health = health

    def ran_out_of_memory(self) -> None:
        """One of its processes was killed for memory: as on Cloud Run the whole instance ends."""
        self._out_of_memory = True
        self._spawn(self.kill())

    def died(self, code: int) -> None:
        """It has ended; the engine may know why."""
        self._spawn(self._settle(code))

    async def look(self) -> None:
        """Learn how it ended when no event has told."""
        facts = await self._inspect()
        self.died(facts["State"]["ExitCode"])

    def vanished(self, why: str) -> None:
        """It is no more, and nobody knows how it ended."""
        if not self._ended.done():
            self._ended.set_result(Ending(None, why))

    async def _settle(self, code: int) -> None:
        if code == _KILLED and not self._out_of_memory:
            with suppress(RuntimeFailure):
                self._out_of_memory = bool((await self._inspect())["State"]["OOMKilled"])
        reason = memory_exceeded(self._launch.revision.memory_bytes) if self._out_of_memory else ""
        if not self._ended.done():
            self._ended.set_result(Ending(code, reason))

    async def _open_doors(self, pid: int) -> None:
        try:
            await self._doors.open(pid)
        except RuntimeFailure:
            # Of one that has died meanwhile its ending is the better news.
            if (await self._inspect())["State"]["Running"]:
                raise

    async def _inspect(self) -> dict[str, Any]:
        facts: dict[str, Any] = await self._engine.call(lambda client: client.api.inspect_container(self.id))
        return facts

    async def _unpause(self) -> None:
        call = asyncio.create_task(self._tell(lambda client: client.api.unpause(self.id)))
        while not (await asyncio.wait({call}, timeout=_ANSWER_SECONDS))[0]:
            await self._switch(frozen=False)
        await call

    async def _switch(self, *, frozen: bool) -> None:
        if self.pid:
            await asyncio.to_thread(freezer.switch, self.pid, frozen=frozen)

    async def _tell(self, work: Callable[[Client], None]) -> None:
        with suppress(NotThere, Conflict):
            await self._engine.call(work)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
