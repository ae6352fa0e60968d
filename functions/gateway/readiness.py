"""Is the workstation there to be spoken to? Wakes it, waits for it, and opens a gate that turns out to be closed.

One wake for a crowd: whoever comes while one is being asked for joins it, and one waiter converges for all.
"""

import asyncio

from starlette.concurrency import run_in_threadpool

from functions.gateway.tallies import Tallies
from functions.gateway.visit import Visit
from functions.http.waiting import Waiters
from shared.domain.breakdown import Breakdown, Cause
from shared.domain.errors import Broken, DormouseError, FailedPrecondition, NotFound, Unavailable
from shared.domain.names import WorkstationId
from shared.domain.observed import Phase
from shared.domain.states import State
from shared.domain.workstation import Source, Workstation
from shared.log import logger
from shared.usecases.asking import describe
from shared.usecases.deps import Deps
from shared.usecases.observe import recorded_address
from shared.usecases.replace_instance import replace_instance
from shared.usecases.touch import keep_alive
from shared.usecases.wake import wake

COLD = frozenset({State.STOPPED, State.STOPPING})
"""Nothing runs, or not for long: to serve from here is a start."""
ON_ITS_WAY = frozenset({State.PENDING, State.STARTING, State.ERROR})
"""No wake is needed. An ERROR is tried again in its own time: a tab that asks every second would have it tried, and
paid for, without end."""
REPLACED = "REPLACED"
"""Another instance answers than the one that was loaded."""
GATES = frozenset({Phase.EMPTY, Phase.LOADING, Phase.QUIESCED, REPLACED})
PAUSE = 0.2
CALLS_TO_OPEN = 3
"""So many calls to its agent, at most, open a gate: a look and two resumes."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Readiness:
    """For all workstations of one process."""

    def __init__(self, deps: Deps, tallies: Tallies, *, auto_start: bool) -> None:
        self._deps = deps
        self._tallies = tallies
        self._auto_start = auto_start
        self._waiters = Waiters()
        self._waking: dict[WorkstationId, asyncio.Task[object]] = {}

    async def running(self, visit: Visit) -> Workstation:
        """The workstation once it runs. Raises NotFound, FailedPrecondition, CapReached, Unavailable."""
        found, looked = await self._described(visit), False
        while found.state is not State.RUNNING:
            if found.state is State.ERROR and (looked or visit.is_probe or not self._is_due(found)):
                raise self._broken(found)
            if visit.is_probe:
                raise _not_running(found, "Asking how it is does not wake it")
            if found.state not in ON_ITS_WAY:
                await self._wake(visit, found)
                found = await self._described(visit)
            if found.state is not State.RUNNING:
                found, looked = await self._settled(visit, found), True
        return found

    async def reopen(self, visit: Visit, workstation: Workstation, gate: str) -> Workstation:
        """Have a closed gate opened, and wait until it runs again. Raises as `running` does."""
        if visit.patience <= 0:
            raise _gate_closed(workstation, gate)
        self._tallies.add(workstation, CALLS_TO_OPEN)
        try:
            opener = self._resume if gate == Phase.QUIESCED else self._replace
            await run_in_threadpool(opener, visit, workstation)
        except DormouseError as error:
            logger().warning("a gate stays closed", workstation=visit.id, gate=gate, why=error.message)
        await asyncio.sleep(min(PAUSE, visit.patience))
        return await self.running(visit)

    def refused(self, workstation: Workstation, gate: str) -> Unavailable:
        """What a client is told whose request cannot be sent once more."""
        return _gate_closed(workstation, gate)

    def _resume(self, visit: Visit, workstation: Workstation) -> None:
        """Activity first: it calls off the rest, or the stop, that had closed the gate."""
        seen = keep_alive(self._deps, visit.asker, visit.id, Source.REQUEST)
        if seen.state is State.RUNNING:
            self._deps.agents.resume(recorded_address(workstation))

    def _replace(self, visit: Visit, _workstation: Workstation) -> None:
        replace_instance(self._deps, visit.id, visit.origin)

    async def _described(self, visit: Visit) -> Workstation:
        snapshot = await run_in_threadpool(describe, self._deps, visit.owner, visit.id)
        return snapshot.workstation.value

    async def _wake(self, visit: Visit, found: Workstation) -> None:
        if not self._auto_start and found.state in COLD:
            raise _not_running(found, "Workstations are not started by requests here")
        waking = self._waking.get(visit.id)
        if waking is None:
            if found.state is State.IDLE:
                self._tallies.add(found, CALLS_TO_OPEN)
            waking = asyncio.create_task(run_in_threadpool(wake, self._deps, visit.asker, visit.id))
            self._waking[visit.id] = waking
            waking.add_done_callback(lambda done: self._woken(visit.id, done))
        await asyncio.shield(waking)

    def _woken(self, id_: WorkstationId, done: "asyncio.Task[object]") -> None:
        del self._waking[id_]
        if not done.cancelled():
            done.exception()  # marked as seen: whoever asked for it may have gone

    async def _settled(self, visit: Visit, found: Workstation) -> Workstation:
        """Wait until it runs, or is where only another wake helps. Raises Unavailable when the time is up."""
        latest: Workstation | None = found
        try:
            async with asyncio.timeout(visit.patience):
                latest = await self._waiters.settle(
                    self._deps, visit.id, visit.origin, _is_settled, visit.patience
                )
        except TimeoutError:
            latest = await self._described(visit)
        if latest is None:
            raise NotFound("There is no such workstation.", "WORKSTATION_NOT_FOUND")
        if latest.state not in (State.RUNNING, State.ERROR) and visit.patience <= 0:
            raise _not_ready(visit, latest)
        return latest

    def _is_due(self, found: Workstation) -> bool:
        return found.retry_at is not None and found.retry_at <= self._deps.clock.now()

    def _broken(self, found: Workstation) -> Broken:
        """What went wrong, and when it is tried again; where it is the user's turn, asking again soon is no use."""
        retry_at, policy = found.retry_at, self._deps.policy
        wait = retry_at - self._deps.clock.now() if retry_at else policy.backoff.longest
        breakdown = found.breakdown or Breakdown(Cause.START_FAILED, found.message)
        return Broken(
            f"{breakdown.text} {_next_try(found)}",
            breakdown.cause,
            metadata={
                "workstation": found.id,
                "state": found.state,
                "because": breakdown.reason,
                "failures": str(found.failures),
                "retryTime": f"{retry_at:{_TIME}}" if retry_at else "",
            },
            retry_after=wait,
            help=breakdown.help,
            log=breakdown.log,
        )


def _next_try(found: Workstation) -> str:
    if found.retry_at:
        return f"It is tried again at {found.retry_at:{_TIME}}."
    return f"It is not tried again by itself: wake it with POST /v1/workstations/{found.id}:wake."


def _is_settled(workstation: Workstation) -> bool:
    match workstation.state:
        case State.PENDING | State.STARTING | State.STOPPING:
            return False
        case State.STOPPED:
            return not workstation.wake_pending
        case _:
            return True


def _not_running(found: Workstation, why: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"It is {found.state}. {why}; wake it with POST /v1/workstations/{found.id}:wake.",
        "NOT_RUNNING",
        metadata={"state": found.state},
    )


def _not_ready(visit: Visit, latest: Workstation) -> Unavailable:
    stages = [stage.state for operation in latest.operations for stage in operation.stages]
    because = f" ({latest.message})" if latest.message else ""
    return Unavailable(
        f"The workstation is {latest.state}{because} and was not ready in time; it goes on, so try again.",
        "NOT_READY",
        metadata={
            "workstation": visit.id,
            "state": latest.state,
            "because": latest.reason or "",
            "stages": ", ".join(stages) or latest.state,
        },
    )


def _gate_closed(workstation: Workstation, gate: str) -> Unavailable:
    return Unavailable(
        f"The workstation's agent is {gate} and lets nobody in yet; try again in a moment.",
        "NOT_READY",
        metadata={"workstation": workstation.id, "state": workstation.state, "stages": gate},
    )
