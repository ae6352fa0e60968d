"""Counts the product's calls, and springs when the planned one comes by: before it goes on, or before it is answered."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from proof.cast import Moment, Trip

T = TypeVar("T")


class Dropped(Exception):
    """Who was asked has died before the answer went back."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: by whom, of which component, and which."""

    caller: str
    target: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A trip that was sprung: at whose call, when (seconds since the epoch), and what it hit; empty for nothing."""

    trip: Trip
    caller: str
    at: float
    hit: str


class Tripwire:
    """Armed for one round at a time. `strike` kills a victim and says in words what it hit."""

    def __init__(self, strike: Callable[[Trip], str]) -> None:
        self._strike = strike
        self._lock = threading.Lock()
        self._armed: list[Trip] = []
        self.counted: Counter[Call] = Counter()
        self.strikes: list[Strike] = []

    def arm(self, trips: Sequence[Trip]) -> None:
        """Counts anew, for these trips."""
        with self._lock:
            self._armed, self.counted, self.strikes = list(trips), Counter(), []

    def disarm(self) -> None:
        """Passes everything on from now."""
        with self._lock:
            self._armed = []

    async def pass_on(self, call: Call, forward: Callable[[], Awaitable[T]]) -> T:
        """The answer of `forward`; raises what it raises, and Dropped."""
        trip = self._count(call)
        if trip and trip.moment is Moment.BEFORE:
            await self._spring(trip, call)
        answer = await forward()
        if trip and trip.moment is Moment.AFTER:
            await self._spring(trip, call)
            if trip.victim.component == call.target:
                raise Dropped
        return answer

    def _count(self, call: Call) -> Trip | None:
        """The trip that this call springs."""
        with self._lock:
            self.counted[call] += 1
            for trip in self._armed:
                if trip.call == call.name and trip.caller in ("", call.caller) and self._so_many(trip):
                    self._armed.remove(trip)
                    return trip
        return None

    def _so_many(self, trip: Trip) -> bool:
        seen = sum(
            count
            for call, count in self.counted.items()
            if call.name == trip.call and trip.caller in ("", call.caller)
        )
        return seen >= trip.ordinal

    async def _spring(self, trip: Trip, call: Call) -> None:
        hit = await asyncio.to_thread(self._strike, trip)
        with self._lock:
            self.strikes.append(Strike(trip=trip, caller=call.caller, at=time.time(), hit=hit))
