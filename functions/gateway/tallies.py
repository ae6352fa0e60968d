"""How many requests were sent to each workstation, and are in no record yet? Google has a fee for each of them.

They are counted before they are sent, and written down with the next touch, or, where nobody touches, a little more than
one touch window after the first of them. Only what a killed process had not written yet is lost. A tally whose write
failed keeps its id and is handed in again, so that it is counted once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from functions.gateway.beside import beside
from shared.domain.errors import DormouseError
from shared.domain.names import Uid
from shared.domain.usage import Tally
from shared.domain.workstation import Workstation
from shared.log import logger
from shared.usecases.count import count_requests
from shared.usecases.deps import Deps

WINDOWS = 1.1
"""So many have passed when nobody has touched: a steady stream's touch comes first, and takes them along."""
LAST_TRIES = 3
LAST_SECONDS = 5.0
"""For all of them: Cloud Run kills a process ten seconds after it was told to end."""


class Tallies:
    """Of one process, on its loop."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._open: dict[Uid, _Sheet] = {}

    def add(self, workstation: Workstation, requests: int = 1) -> None:
        """So many are about to be sent."""
        sheet = self._open.get(workstation.uid)
        if sheet is None:
            sheet = self._open[workstation.uid] = _Sheet(workstation)
            sheet.add(requests)
            sheet.timer = asyncio.create_task(self._keep(sheet))
        else:
            sheet.add(requests)

    @asynccontextmanager
    async def handed_in(self, workstation: Workstation) -> AsyncIterator["HandedIn"]:
        """What is to be written down, if anything; kept for another try unless its `counted` is called."""
        sheet = self._open.get(workstation.uid)
        if sheet is None:
            yield HandedIn(None, _nothing)
            return
        async with sheet.turn:
            tally = sheet.drawn(self._deps.entropy.bytes)
            yield HandedIn(tally, sheet.counted)

    async def close(self) -> None:
        """Write down all that is left, as far as the time goes."""
        finishing = [asyncio.create_task(self._finish(sheet)) for sheet in self._open.values()]
        if not finishing:
            return
        _, late = await asyncio.wait(finishing, timeout=LAST_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.wait(finishing)
        if lost := sum(sheet.has_any for sheet in self._open.values()):
            logger().error("requests are not counted any more", workstations=lost)

    async def _keep(self, sheet: "_Sheet") -> None:
        """Until all is written down, each time `WINDOWS` after the first that was not."""
        window = WINDOWS * sheet.workstation.touch_window(self._deps.policy).total_seconds()
        while sheet.has_any:
            if (left := sheet.since + window - _now()) > 0:
                await asyncio.sleep(left)
            else:
                await self._write(sheet)
        del self._open[sheet.workstation.uid]

    async def _finish(self, sheet: "_Sheet") -> None:
        assert sheet.timer
        try:
            for _ in range(LAST_TRIES):
                if sheet.has_any:
                    await self._write(sheet)
        finally:
            sheet.timer.cancel()

    async def _write(self, sheet: "_Sheet") -> None:
        async with self.handed_in(sheet.workstation) as handed_in:
            if handed_in.tally is None:
                return
            try:
                await beside(count_requests, self._deps, sheet.workstation, handed_in.tally)
            except DormouseError as error:
                logger().warning(
                    "requests are not counted yet", workstation=sheet.workstation.id, why=error.message
                )
            except Exception:
                logger().exception("requests are not counted yet", workstation=sheet.workstation.id)
            else:
                handed_in.counted()


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A tally, and what to call once it is known to be in the record."""

    tally: Tally | None
    counted: Callable[[], None]


class _Sheet:
    """One life's requests that are in no record yet."""

    def __init__(self, workstation: Workstation) -> None:
        self.workstation = workstation
        self.turn = asyncio.Lock()
        self.timer: asyncio.Task[None] | None = None
        self.since = 0.0
        """When the first of them was added, or last tried to be written."""
        self._more = 0
        self._drawn: Tally | None = None

    @property
    def has_any(self) -> bool:
        return bool(self._more or self._drawn)

    def add(self, requests: int) -> None:
        if not self.has_any:
            self.since = _now()
        self._more += requests

    def drawn(self, entropy: Callable[[int], bytes]) -> Tally | None:
        """The tally whose fate is not known, else one of all that has come since."""
        if self._drawn is None and self._more:
            self._drawn = Tally(self.workstation.uid, entropy(8).hex(), self._more)
            self._more = 0
        self.since = _now()
        return self._drawn

    def counted(self) -> None:
        self._drawn = None


def _nothing() -> None:
    """There was nothing to count."""


def _now() -> float:
    return asyncio.get_running_loop().time()
