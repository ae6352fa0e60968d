"""What time is it in the emulator?  Real time, until somebody moves it on or holds it.

Timers, operations, probes and meters ask this clock.  The patience with real sockets, disks and processes does not:
no jump of the clock makes those any faster.  A jump waits for such work where it is `pinned`.
"""

import asyncio
import heapq
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

# So often the loop turns between two timers, that what the first has woken can set timers of its own.
_TURNS = 25
# Of more timers than this the cancelled ones are forgotten: every request sets one for an hour and cancels it soon.
_FEW = 1000
# A jump waits no longer than this for a piece of real work.
_PATIENCE_SECONDS = 10.0
# What a kill in the middle of a long jump may take back, in real time.
_KEPT_EVERY_SECONDS = 0.5


class Timer:
    """A call that is due at some time of the clock."""

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """Never call."""
        self.cancelled = True


class Clock:
    """A clock that can be moved forward, and held; its shift outlives the emulator in `kept`."""

    def __init__(self, kept: Path | None = None) -> None:
        self._kept = kept
        self._ahead = _read(kept)
        self._held: tuple[float, datetime] | None = None
        self._timers: list[tuple[float, int, Timer]] = []
        self._crowded = _FEW
        self._order = count()
        self._alarm: asyncio.TimerHandle | None = None
        self._moving = asyncio.Lock()
        self._pins: set[asyncio.Future[None]] = set()

    @property
    def ahead(self) -> timedelta:
        """How far it is before real time; behind it, when it was held, below zero."""
        return self.now() - datetime.now(UTC)

    @property
    def held(self) -> bool:
        """Whether it moves only when it is moved."""
        return self._held is not None

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._held[1] if self._held else datetime.now(UTC) + timedelta(seconds=self._ahead)

    def time(self) -> float:
        """Seconds since some moment; never goes back."""
        return self._held[0] if self._held else asyncio.get_running_loop().time() + self._ahead

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call when `time()` has come."""
        timer = Timer(when, callback)
        if len(self._timers) >= self._crowded:
            self._forget_cancelled()
        heapq.heappush(self._timers, (when, next(self._order), timer))
        if self._timers[0][2] is timer:
            self._set_alarm()
        return timer

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call after so many seconds."""
        return self.call_at(self.time() + seconds, callback)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds; for none at once, even while the clock is held."""
        if seconds <= 0:
            return
        woken = asyncio.Event()
        timer = self.call_later(seconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """TimeoutError for what is not done after so many seconds, as asyncio.timeout does."""
        async with asyncio.timeout(None) as limit:
            loop = asyncio.get_running_loop()
            timer = self.call_later(seconds, lambda: limit.reschedule(loop.time()))
            try:
                yield
            finally:
                timer.cancel()

    async def advance(self, by: timedelta) -> None:
        """Move on; every timer on the way is called at its own time, and what it wakes is given a chance to act.

        Work that waits for a disk, a socket or a process goes on in real time meanwhile, unless it is `pinned`. Where it
        is cancelled the clock stays where it has come to.
        """
        async with self._moving:
            try:
                await self._move_by(by.total_seconds())
            finally:
                self._set_alarm()
                self._keep()

    @contextmanager
    def pinned(self, longest: float = _PATIENCE_SECONDS) -> Iterator[None]:
        """Real work that a jump of the clock waits for, so many real seconds at most: a process that starts or ends.

        It must not itself wait for this clock, which may stand still.
        """
        loop = asyncio.get_running_loop()
        pin: asyncio.Future[None] = loop.create_future()
        self._pins.add(pin)
        limit = loop.call_later(max(0.0, longest), self._release, pin)
        try:
            yield
        finally:
            limit.cancel()
            self._release(pin)

    def hold(self) -> None:
        """Stand still from now on, but for `advance`."""
        if self._held is None:
            self._held = self.time(), self.now()
        self._set_alarm()

    def go_on(self) -> None:
        """Run with real time again, from where it stands."""
        if self._held is not None:
            self._ahead = self._held[0] - asyncio.get_running_loop().time()
            self._held = None
        self._keep()
        self._set_alarm()

    async def _move_by(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        target, kept = self.time() + seconds, loop.time()
        await self._settle()
        while (due := self._next()) is not None and due <= target:
            self._move_to(due)
            self._ring()
            await self._settle()
            if loop.time() - kept >= _KEPT_EVERY_SECONDS:
                self._keep()
                kept = loop.time()
        self._move_to(target)

    async def _settle(self) -> None:
        """Let what is awake act, and what is pinned end; under a steady load something always is, so not for ever."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE_SECONDS
        while True:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if not self._pins or loop.time() >= until:
                return
            await asyncio.wait(self._pins)

    def _release(self, pin: asyncio.Future[None]) -> None:
        self._pins.discard(pin)
        if not pin.done():
            pin.set_result(None)

    def _move_to(self, when: float) -> None:
        step = max(0.0, when - self.time())
        if self._held:
            self._held = self._held[0] + step, self._held[1] + timedelta(seconds=step)
        else:
            self._ahead += step

    def _forget_cancelled(self) -> None:
        self._timers = [entry for entry in self._timers if not entry[2].cancelled]
        heapq.heapify(self._timers)
        self._crowded = 2 * len(self._timers) + _FEW

    def _next(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _ring(self) -> None:
        now = self.time()
        while (due := self._next()) is not None and due <= now:
            timer = heapq.heappop(self._timers)[2]
            timer.callback()
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        due = self._next()
        if due is not None and not self.held:
            self._alarm = asyncio.get_running_loop().call_later(max(0.0, due - self.time()), self._ring)

    def _keep(self) -> None:
        if self._kept is not None:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            draft = self._kept.with_suffix(".draft")
            draft.write_text(json.dumps({"aheadSeconds": max(0.0, self.ahead.total_seconds())}))
            draft.replace(self._kept)


def _read(kept: Path | None) -> float:
    with suppress(OSError, ValueError, KeyError, TypeError):
        if kept is not None:
            return float(json.loads(kept.read_text())["aheadSeconds"])
    return 0.0
