"""Writing one fact down, or one detail: always a whole batch, always by compare-and-set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from shared.domain.actions import Record
from shared.domain.budget import User, book, cap_instant
from shared.domain.counting import Counted
from shared.domain.errors import NotFound, StaleWrite, Unavailable
from shared.domain.facts import Fact, Origin
from shared.domain.names import WorkstationId
from shared.domain.operations import Operation
from shared.domain.policy import Policy
from shared.domain.states import State
from shared.domain.transition import transition
from shared.domain.workstation import Workstation
from shared.ports import Batch, LedgerRow, Request, Stored
from shared.usecases.deps import Deps

T = TypeVar("T")

TRIES = 10
# Fifty writers of one budget all come through in about three seconds; shorter pauses lost a third of them.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A record and its owner's budget as they were read together, and when."""

    workstation: Stored[Workstation]
    user: Stored[User]
    now: datetime


def read(deps: Deps, id_: WorkstationId) -> Snapshot:
    """Raises NotFound."""
    stored = deps.records.workstation(id_)
    if stored is None:
        raise NotFound("There is no such workstation.", "WORKSTATION_NOT_FOUND")
    return Snapshot(workstation=stored, user=deps.records.user(stored.value.owner), now=deps.clock.now())


def fact_of(record: Record, now: datetime, origin: Origin) -> Fact:
    """What was decided to be written down, as it happened now."""
    return Fact(
        kind=record.kind,
        time=now,
        origin=origin,
        reason=record.reason,
        message=record.message,
        breakdown=record.breakdown,
    )


def commit(
    deps: Deps,
    snapshot: Snapshot,
    fact: Fact,
    *,
    operation: Operation | None = None,
    request: Request | None = None,
) -> Workstation:
    """One transition, whole. It is due at once, so that the sweep finishes what its author does not. Raises StaleWrite."""
    before = snapshot.workstation.value
    if operation:
        before = replace(before, operations=(*before.operations, operation))
    change = transition(before, snapshot.user.value, fact, deps.policy)
    due_at = None if change.workstation.state is State.DELETED and not change.workstation.purge else fact.time
    after = replace(change.workstation, due_at=due_at)
    deps.records.write(
        Batch(
            workstation=Stored(after, snapshot.workstation.version),
            user=Stored(_due(change.user, deps.policy, fact.time), snapshot.user.version),
            event=change.event,
            intervals=change.intervals,
            operations=change.operations,
            request=request,
        )
    )
    return after


def amend(
    deps: Deps,
    snapshot: Snapshot,
    after: Workstation,
    *,
    user: User | None = None,
    operations: Sequence[Operation] = (),
    request: Request | None = None,
    counted: Counted | None = None,
) -> Workstation:
    """A change that is no transition (activity, a renewal, when to look next): no event. Raises StaleWrite.

    What was `counted` brings its user and its intervals; `after` has its workstation.
    """
    user = counted.user if counted else user
    deps.records.write(
        Batch(
            workstation=Stored(replace(after, update_time=snapshot.now), snapshot.workstation.version),
            user=Stored(_due(user, deps.policy, snapshot.now), snapshot.user.version) if user else None,
            intervals=counted.intervals if counted else (),
            operations=operations,
            request=request,
        )
    )
    return after


def book_alone(deps: Deps, row: LedgerRow) -> None:
    """One row that belongs to nothing that is open, and its owner's totals. Raises StaleWrite."""
    user, now = deps.records.user(row.owner), deps.clock.now()
    booked = _due(book(user.value, (row.interval,)), deps.policy, now)
    deps.records.book(row, Stored(booked, user.version))


def insist(deps: Deps, attempt: Callable[[], T]) -> T:
    """Try again, with growing jitter, while somebody else is faster. Raises Unavailable after ten tries."""
    pause = FIRST_PAUSE
    for _ in range(TRIES):
        try:
            return attempt()
        except StaleWrite:
            deps.clock.sleep(pause * deps.entropy.jitter())
            pause = min(2 * pause, LONGEST_PAUSE)
    raise Unavailable("The record is changed by many at once; try again in a moment.", "CONTENTION")


def _due(user: User, policy: Policy, now: datetime) -> User:
    """The budget is looked at when, as things go now, its cap comes near."""
    reached = cap_instant(user, user.caps(policy.caps), now)
    return replace(user, due_at=reached and max(now, reached - policy.lead))
