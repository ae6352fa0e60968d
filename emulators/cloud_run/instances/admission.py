"""Which requests wait for an instance? First come, first served; each waits for a bounded time and may give up."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import timedelta

from emulators.clock import Clock
from emulators.cloud_run.instances.instance import Instance


class Unavailable(Exception):
    """No instance can be had for this request (503)."""


class Exhausted(Exception):
    """No instance became free in time (429)."""


class Queue:
    """The requests that wait for room."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tickets: deque[asyncio.Future[Instance]] = deque()

    def __len__(self) -> int:
        return len(self._tickets)

    def enter(self) -> asyncio.Future[Instance]:
        """A place at the end of the queue."""
        ticket: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._tickets.append(ticket)
        return ticket

    async def wait(self, ticket: asyncio.Future[Instance], longest: timedelta) -> Instance:
        """The instance that was granted, acquired; raises Unavailable or Exhausted."""
        taken = False
        try:
            async with self._clock.timeout(longest.total_seconds()):
                instance = await ticket
                taken = True
                return instance
        except TimeoutError:
            raise Exhausted("The request was aborted because there was no available instance.") from None
        finally:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
            if not taken and ticket.done() and not ticket.cancelled() and ticket.exception() is None:
                # Granted in the same moment in which its client gave up.
                ticket.result().release()

    def grant(self, instance: Instance) -> None:
        """Give room to the first that still waits."""
        while self._tickets:
            ticket = self._tickets.popleft()
            if not ticket.done():
                instance.acquire()
                ticket.set_result(instance)
                return

    def refuse(self, why: str) -> None:
        """Send everybody away."""
        while self._tickets:
            ticket = self._tickets.popleft()
            if not ticket.done():
                ticket.set_exception(Unavailable(why))
