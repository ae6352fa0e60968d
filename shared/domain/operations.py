"""Long-running operations: what a caller waits for, with the stages it has been through."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.domain.breakdown import Breakdown
from shared.domain.errors import DormouseError
from shared.domain.names import Owner, Uid, WorkstationId
from shared.domain.states import State


class Verb(StrEnum):
    CREATE = "create"
    WAKE = "wake"
    STOP = "stop"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Stage:
    """One passing state on the way, from `start` to `end` (None while it lasts)."""

    state: State
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    id: str
    owner: Owner
    workstation: WorkstationId
    uid: Uid
    verb: Verb
    create_time: datetime
    stages: tuple[Stage, ...] = ()
    done_time: datetime | None = None
    error_code: str = ""
    error_reason: str = ""
    error_message: str = ""
    breakdown: Breakdown | None = None
    """What went wrong with the workstation, where that ended it."""

    @property
    def done(self) -> bool:
        return self.done_time is not None


_GOAL = {
    Verb.CREATE: State.RUNNING,
    Verb.WAKE: State.RUNNING,
    Verb.STOP: State.STOPPED,
    Verb.DELETE: State.DELETED,
}


def advance(
    operation: Operation,
    state: State,
    now: datetime,
    message: str = "",
    reason: str = "",
    breakdown: Breakdown | None = None,
) -> Operation:
    """The operation once its workstation is in `state`: a stage more, or done, or failed. A done one stays as it is."""
    if operation.done or (operation.stages and operation.stages[-1].state is state):
        return operation
    stages = tuple(replace(stage, end=stage.end or now) for stage in operation.stages)
    if state is _GOAL[operation.verb]:
        return replace(operation, stages=stages, done_time=now)
    if state is State.ERROR or _leads_away(operation.verb, state):
        return replace(
            operation,
            stages=stages,
            done_time=now,
            error_code="UNAVAILABLE" if state is State.ERROR else "ABORTED",
            error_reason=breakdown.cause if breakdown else reason.upper() or state,
            error_message=message or f"The workstation is {state} before the {operation.verb} was done.",
            breakdown=breakdown,
        )
    return replace(operation, stages=(*stages, Stage(state, now)))


def fail(operation: Operation, error: DormouseError, now: datetime) -> Operation:
    """The operation, ended by `error`."""
    return replace(
        operation,
        stages=tuple(replace(stage, end=stage.end or now) for stage in operation.stages),
        done_time=now,
        error_code=error.code,
        error_reason=error.reason,
        error_message=error.message,
    )


def _leads_away(verb: Verb, state: State) -> bool:
    if state in (State.DELETING, State.DELETED):
        return verb is not Verb.DELETE
    if verb in (Verb.CREATE, Verb.WAKE):
        return state is State.STOPPED
    return verb is Verb.STOP and state in (State.STARTING, State.RUNNING)
