"""One fact, and all that it changes: the record, the user's totals and reservation, the ledger, the log, operations.

What `transition` returns is one batch: it is written whole or not at all.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.budget import Reservation, User, book, can_rise, reserve
from shared.domain.events import Event
from shared.domain.evolution import evolve
from shared.domain.facts import Fact
from shared.domain.money import HourlyRate, Micros
from shared.domain.operations import Operation, Verb, advance
from shared.domain.policy import Policy
from shared.domain.states import COUNTED, Kind, State
from shared.domain.usage import Interval, OpenInterval, Usage, close
from shared.domain.workstation import Workstation, metered_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One batch."""

    workstation: Workstation
    user: User
    event: Event
    intervals: tuple[Interval, ...] = ()
    operations: tuple[Operation, ...] = ()


def transition(before: Workstation, user: User, fact: Fact, policy: Policy) -> Change:
    """What `fact` changes. Raises InvalidTransition where the table has no such row."""
    after = evolve(before, fact, policy)
    usage = _usage_after(before, after, fact, user, policy)
    begun = metered_from(before, policy, fact.time) if fact.kind is Kind.REPLACED else fact.time
    metered, rows = _meter(before, after, fact, usage, begun)
    settled, operations = _settle_operations(metered, fact)
    event = _event(before, settled, fact)
    logged = replace(settled, event_seq=event.n, event_hash=event.hash, update_time=fact.time)
    budget = reserve(book(user, rows), logged.id, _reservation(logged, user, fact))
    return Change(workstation=logged, user=budget, event=event, intervals=rows, operations=operations)


def _usage_after(
    before: Workstation, after: Workstation, fact: Fact, user: User, policy: Policy
) -> Usage | None:
    """Metered from what was observed: once something may run, it costs until it was seen gone."""
    if fact.kind is Kind.RELEASED:
        return None
    match after.state:
        case State.STARTING | State.RUNNING:
            return Usage.ACTIVE
        case State.IDLE:
            return Usage.IDLE
        case State.STOPPING | State.DELETING if before.state is State.IDLE:
            caps = user.caps(policy.caps)
            rises = can_rise(user, caps, after.id, after.rate.active, fact.time)
            return Usage.ACTIVE if rises else Usage.IDLE
        case State.STOPPING | State.DELETING | State.ERROR:
            return after.interval.usage if after.interval else None
        case State.PENDING | State.STOPPED | State.DELETED:
            return None


def _meter(
    before: Workstation, after: Workstation, fact: Fact, usage: Usage | None, begun: datetime
) -> tuple[Workstation, tuple[Interval, ...]]:
    """`begun` is when a new rate began to hold: when the fact happened, or, where that was seen late, before."""
    rate = {None: HourlyRate(0), Usage.ACTIVE: after.rate.active, Usage.IDLE: after.rate.idle}[usage]
    present = before.interval
    new_session = after.session_start != before.session_start
    if present and usage is present.usage and rate == present.rate and not new_session:
        return after, ()
    end = min(begun, _metered_until(before, fact))
    rows, following = close(present, before.uid, end, before.state.lower()) if present else ((), None)
    if usage is None:
        return replace(after, interval=None), rows
    opened = OpenInterval(
        usage=usage,
        rate=rate,
        start=begun,
        epoch=after.epoch,
        n=following.n if following and following.epoch == after.epoch else 1,
        fee=after.rate.requests,
    )
    if following and not new_session:
        opened = replace(opened, accrued=following.accrued, earlier_requests=following.earlier_requests)
    return replace(after, interval=opened), rows


def _metered_until(before: Workstation, fact: Fact) -> datetime:
    """When what ran has ended: now, or, where it ran out while nobody looked, when it was gone.

    Never before `notAfter`: up to there it was paid for, so a wrong time of the platform's makes nothing cheaper.
    """
    if fact.gone_time is None or before.not_after is None:
        return fact.time
    return min(fact.time, max(fact.gone_time, before.not_after))


def _reservation(after: Workstation, user: User, fact: Fact) -> Reservation | None:
    """What stays reserved: as far as before or as admitted now, at the rate of the open interval."""
    held = fact.reservation or user.reservations.get(after.id)
    if held is None or (after.interval is None and after.state not in COUNTED):
        return None
    if after.interval is None:
        return held
    return replace(held, rate=after.interval.rate, since=after.interval.start, fees=after.interval.fees)


def _event(before: Workstation, after: Workstation, fact: Fact) -> Event:
    event = Event(
        uid=after.uid,
        n=before.event_seq + 1,
        kind=fact.kind,
        state=after.state,
        time=fact.time,
        actor=fact.origin.actor,
        reason=fact.reason,
        message=fact.message,
        breakdown=fact.breakdown,
        epoch=after.epoch,
        request_id=fact.origin.request_id,
        cost=session_cost(before, fact),
        previous_hash=before.event_hash,
    )
    return replace(event, hash=event.digest())


def session_cost(workstation: Workstation, fact: Fact) -> Micros:
    """What the session had cost when `fact` happened."""
    open_ = workstation.interval
    return open_.session_cost(_metered_until(workstation, fact)) if open_ else Micros(0)


def _settle_operations(after: Workstation, fact: Fact) -> tuple[Workstation, tuple[Operation, ...]]:
    """Every open operation told of the new state; those that are done leave the record."""
    told = tuple(
        operation
        if operation.verb is Verb.WAKE and after.wake_pending
        else advance(operation, after.state, fact.time, after.message, after.reason or "", after.breakdown)
        for operation in after.operations
    )
    return replace(after, operations=tuple(op for op in told if not op.done)), told
