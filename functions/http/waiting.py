"""Waiting for a workstation without holding a thread: one waiter converges, whoever else waits joins it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from shared.domain.errors import DormouseError, NotFound, Unavailable
from shared.domain.facts import Origin
from shared.domain.names import WorkstationId
from shared.domain.workstation import Workstation
from shared.log import logger
from shared.usecases.converge import converge
from shared.usecases.deps import Deps

Seen = Workstation | DormouseError | None
"""What a step led to: the workstation, why the step was not possible, or None where there is no workstation any more."""

STEP_LIMIT = 25.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
MOST_STEPS = 32
"""At a time, in threads of their own: agents that let us wait must not keep the others' calls from a thread."""

_STEPS = CapacityLimiter(MOST_STEPS)


class Waiters:
    """The waiters of one process, one for each workstation that somebody waits for."""

    def __init__(self) -> None:
        self._waiters: dict[WorkstationId, _Waiter] = {}

    async def settle(
        self,
        deps: Deps,
        id_: WorkstationId,
        origin: Origin,
        is_settled: Callable[[Workstation], bool],
        patience: float,
    ) -> Workstation | None:
        """Converge until `is_settled`, for at most `patience` seconds; what was seen last, None where it is gone.

        Zero patience still takes one step.
        """
        waiter = self._waiters.get(id_)
        if waiter is None or waiter.ended:
            waiter = self._waiters[id_] = _Waiter(deps, id_, origin)
            waiter.begin(self._forget)
        return await waiter.wait(is_settled, patience)

    def _forget(self, waiter: "_Waiter") -> None:
        if self._waiters.get(waiter.id) is waiter:
            del self._waiters[waiter.id]


class _Waiter:
    """One task that takes steps, and whoever listens to what each of them led to."""

    def __init__(self, deps: Deps, id_: WorkstationId, origin: Origin) -> None:
        self._deps, self.id, self._origin = deps, id_, origin
        self._seen: asyncio.Future[Seen] = asyncio.get_running_loop().create_future()
        self._listeners = 0
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None

    def begin(self, at_end: "Callable[[_Waiter], None]") -> None:
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _task: at_end(self))

    @property
    def ended(self) -> bool:
        """Whether nobody would answer who joined it now."""
        return self._task is not None and self._task.done()

    async def wait(self, is_settled: Callable[[Workstation], bool], patience: float) -> Workstation | None:
        """Raises what the last step raised; Unavailable where not even one came to an end."""
        latest: Seen = Unavailable("Cloud Run does not answer; what you asked for is kept and goes on.")
        self._listeners += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(STEP_LIMIT):
                    latest = await asyncio.shield(self._seen)
                async with asyncio.timeout(patience):
                    while isinstance(latest, DormouseError) or (
                        latest is not None and not is_settled(latest)
                    ):
                        latest = await asyncio.shield(self._seen)
        finally:
            self._listeners -= 1
        if isinstance(latest, DormouseError):
            raise latest
        return latest

    async def _run(self) -> None:
        """Step after step while anybody listens."""
        pause = FIRST_PAUSE
        while True:
            try:
                seen: Seen = await run_sync(converge, self._deps, self.id, self._origin, limiter=_STEPS)
            except NotFound:
                seen = None
            except DormouseError as trouble:
                seen = trouble
            except Exception as error:
                self._fail(error)
                return
            self._note(seen)
            self._publish(seen)
            await asyncio.sleep(pause)
            if not self._listeners:
                return
            pause = min(LONGEST_PAUSE, pause * 1.5)

    def _note(self, seen: Seen) -> None:
        """Each trouble once, however often it comes back."""
        trouble = seen.message if isinstance(seen, DormouseError) else ""
        if trouble and trouble != self._trouble:
            logger().warning("a step was not possible", workstation=self.id, why=trouble)
        self._trouble = trouble

    def _fail(self, error: Exception) -> None:
        self._seen.set_exception(error)
        self._seen.exception()  # marked as seen: with nobody listening it is no leak

    def _publish(self, seen: Seen) -> None:
        told, self._seen = self._seen, asyncio.get_running_loop().create_future()
        told.set_result(seen)
