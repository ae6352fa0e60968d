"""When did somebody do something here? Written down rarely and beside the requests, never instead of them.

Open connections are counted too: when the last one closes, the workstation is held for a while, because without any
request it has no CPU to go on with.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from functions.gateway.beside import beside
from functions.gateway.tallies import Tallies
from functions.gateway.visit import Visit
from shared.domain.counting import is_counted
from shared.domain.errors import DormouseError
from shared.domain.names import WorkstationId
from shared.domain.workstation import Source, Workstation
from shared.log import logger
from shared.usecases.deps import Deps
from shared.usecases.touch import keep_alive

MOST_REMEMBERED = 10_000


class Stay:
    """One request or WebSocket while it lasts."""

    def __init__(self, touch: Callable[[Source], None]) -> None:
        self._touch = touch
        self.ends_as_activity = True
        """A stream is silent until proven otherwise: its end says nothing."""
        self.holds_after = True
        """Not where the workstation itself closed it: then it wants to rest."""

    def touch(self, source: Source) -> None:
        """The client did something."""
        self._touch(source)


class Presence:
    """Who is there, in this process."""

    def __init__(
        self,
        deps: Deps,
        tallies: Tallies,
        hold: Callable[[WorkstationId], Coroutine[Any, Any, None]],
    ) -> None:
        self._deps = deps
        self._tallies = tallies
        self._hold = hold
        self._next: dict[WorkstationId, float] = {}
        """When a write is worth it again; while one is under way, never."""
        self._open: Counter[WorkstationId] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def request(self, visit: Visit, workstation: Workstation) -> Iterator[Stay]:
        """A request counts at its beginning and at its end; a probe never does."""
        if visit.is_probe:
            yield Stay(lambda _source: None)
            return
        with self._counted(visit, workstation) as stay:
            stay.touch(Source.REQUEST)
            try:
                yield stay
            finally:
                if stay.ends_as_activity:
                    stay.touch(Source.REQUEST)

    @contextmanager
    def websocket(self, visit: Visit, workstation: Workstation) -> Iterator[Stay]:
        """A WebSocket counts only when its client sends something."""
        with self._counted(visit, workstation) as stay:
            yield stay

    @contextmanager
    def _counted(self, visit: Visit, workstation: Workstation) -> Iterator[Stay]:
        stay = Stay(lambda source: self._touch(visit, workstation, source))
        self._open[visit.id] += 1
        try:
            yield stay
        finally:
            self._open[visit.id] -= 1
            if not self._open[visit.id]:
                del self._open[visit.id]
                if stay.holds_after:
                    self._begin(self._hold(visit.id))

    def _touch(self, visit: Visit, workstation: Workstation, source: Source) -> None:
        """At most one write for each workstation in a window."""
        if _now() < self._next.get(visit.id, 0):
            return
        if len(self._next) >= MOST_REMEMBERED:
            self._next.clear()
        self._next[visit.id] = math.inf
        self._begin(self._write(visit, workstation, source))

    async def _write(self, visit: Visit, workstation: Workstation, source: Source) -> None:
        """The window counts from what the record says, which may be older than now, and not from a failed try."""
        try:
            found = await self._write_down(visit, workstation, source)
        except BaseException:
            self._next.pop(visit.id, None)
            raise
        worth_it = found.last_activity.time + found.touch_window(self._deps.policy)
        self._next[visit.id] = _now() + (worth_it - self._deps.clock.now()).total_seconds()

    async def _write_down(self, visit: Visit, workstation: Workstation, source: Source) -> Workstation:
        """With what was sent to it since the last time."""
        async with self._tallies.handed_in(workstation) as handed_in:
            tally = handed_in.tally
            found = await beside(keep_alive, self._deps, visit.asker, visit.id, source, tally)
            if tally and is_counted(found, tally):
                handed_in.counted()
        return found

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    """The request that it is about never fails by it."""
    try:
        await work
    except DormouseError as error:
        logger().info("activity was not written down", why=error.message)
    except Exception:
        logger().exception("activity was not written down")
