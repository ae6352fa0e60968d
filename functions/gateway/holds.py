"""Which workstations are held by this process? Work without a client has CPU only while a request is open.

A hold runs after every activity, if only for the few thawed seconds that an agent needs to know that nothing is busy.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from starlette.concurrency import run_in_threadpool

from functions.gateway.hold_stream import HoldStream, Report, open_hold
from functions.gateway.tallies import Tallies
from functions.gateway.upstream import Upstream
from shared.domain.errors import DormouseError, FailedPrecondition, NotFound, Unavailable
from shared.domain.names import WorkstationId
from shared.domain.observed import Busy
from shared.domain.workstation import Activity, Source
from shared.log import logger
from shared.usecases.deps import Deps
from shared.usecases.hold import Claim, claim, release, renew

RENEW_EVERY = timedelta(minutes=1)
REOPEN_AFTER = timedelta(minutes=50).total_seconds()
"""Well before the platform cuts a request at 60 minutes."""
LINGER_SECONDS = 3.0


class Holds:
    """At most one hold for each workstation."""

    def __init__(self, deps: Deps, upstream: Upstream, tallies: Tallies) -> None:
        self._deps = deps
        self._upstream = upstream
        self._tallies = tallies
        self._holds: dict[WorkstationId, Hold] = {}

    async def begin(self, id_: WorkstationId) -> None:
        """Hold, or join the hold that lasts; then the record says so. Raises NotFound, FailedPrecondition, Unavailable."""
        while (hold := self._holds.get(id_)) is not None and hold.ending:
            await hold.gone()
            self._forget(hold)
        if hold is None:
            hold = self._holds[id_] = Hold(self._deps, self._upstream, self._tallies, id_)
            hold.begin(self._forget)
        await hold.joined()

    async def begin_quietly(self, id_: WorkstationId) -> None:
        """As `begin`, for where a workstation that rests by now is nothing to speak of."""
        with suppress(FailedPrecondition, NotFound):
            await self.begin(id_)

    async def close(self) -> None:
        """Give up every hold, so that another process can take it at once."""
        await asyncio.gather(*(hold.cancel() for hold in self._holds.values()))

    def _forget(self, hold: "Hold") -> None:
        if self._holds.get(hold.id) is hold:
            del self._holds[hold.id]


class Hold:
    """One workstation's hold, from its claim to its release."""

    def __init__(self, deps: Deps, upstream: Upstream, tallies: Tallies, id_: WorkstationId) -> None:
        self.id = id_
        self.ending = False
        self._deps = deps
        self._upstream = upstream
        self._tallies = tallies
        self._renew_every = min(RENEW_EVERY, deps.policy.idle_after / 5).total_seconds()
        self._renewed = 0.0
        self._wanted = asyncio.Event()
        self._claimed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    def begin(self, at_end: "Callable[[Hold], None]") -> None:
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _task: at_end(self))

    async def joined(self) -> None:
        """Return once the record shows a hold; it then looks once more whether anything is busy."""
        self._wanted.set()
        await asyncio.shield(self._claimed)

    async def gone(self) -> None:
        assert self._task is not None
        await asyncio.wait((self._task,))

    async def cancel(self) -> None:
        """End it now; it is released."""
        assert self._task is not None
        self._task.cancel()
        await self.gone()

    async def _run(self) -> None:
        held = await self._claim()
        try:
            while held is not None:
                self._wanted.clear()
                held = await self._follow(held)
                if held is None or not await self._is_wanted_again():
                    break
        except DormouseError as error:
            logger().info("a hold ended", workstation=self.id, why=error.message)
        finally:
            self.ending = True
            if held is not None:
                await self._release(held)

    async def _claim(self) -> Claim | None:
        try:
            held = await run_in_threadpool(claim, self._deps, self.id)
        except Exception as error:
            self.ending = True
            self._claimed.set_exception(error)
            self._claimed.exception()  # marked as seen: whoever asked may have gone
            return None
        self._renewed = _now()
        self._claimed.set_result(None)
        return held

    async def _is_wanted_again(self) -> bool:
        """Kept for a moment, so that a quick series of requests needs one claim."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                return await self._wanted.wait()
        except TimeoutError:
            self.ending = True
            return False

    async def _follow(self, held: Claim) -> Claim | None:
        """Keep a request open until nothing is busy; the claim, None where it is ours no longer."""
        kept: Claim | None = held
        stream = await self._open(held)
        try:
            while kept and (report := await stream.next()) and report.busy is not Busy.NO:
                kept = await self._keep(kept, report)
                if kept:
                    stream = await self._overlapped(stream, kept)
        finally:
            await stream.close()
        return kept

    async def _keep(self, held: Claim, report: Report) -> Claim | None:
        """Renewed now and then, with the cause as activity; what cannot be written now is written with a later line."""
        now = _now()
        if now - self._renewed < self._renew_every:
            return held
        cause = Activity(self._deps.clock.now(), Source.PROCESS, report.cause)
        try:
            kept = await run_in_threadpool(renew, self._deps, held, cause)
        except Unavailable as error:
            logger().warning("a hold could not be renewed", workstation=self.id, why=error.message)
            return held
        self._renewed = now
        return kept

    async def _overlapped(self, stream: HoldStream, held: Claim) -> HoldStream:
        """The same stream, or a younger one that was opened before the old one is closed."""
        if _now() - stream.opened < REOPEN_AFTER:
            return stream
        younger = await self._open(held)
        await stream.close()
        return younger

    async def _open(self, held: Claim) -> HoldStream:
        """Google's fee is for a hold as for any other request."""
        self._tallies.add(held.workstation)
        return await open_hold(self._upstream, held.address)

    async def _release(self, held: Claim) -> None:
        try:
            await run_in_threadpool(release, self._deps, held)
        except DormouseError as error:
            logger().info("a hold lapses by itself", workstation=self.id, why=error.message)


def _now() -> float:
    return asyncio.get_running_loop().time()
