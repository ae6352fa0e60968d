"""The record after a fact, money and log aside: the only place where a state or an epoch changes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from shared.domain.errors import InvalidTransition
from shared.domain.facts import Fact
from shared.domain.names import service_name
from shared.domain.policy import Policy
from shared.domain.states import Kind, State, target
from shared.domain.workstation import Workstation, recent_replacements


def evolve(before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    """The record after `fact`, money and log aside."""
    state = target(before.state, fact.kind)
    if (fact.kind is Kind.CREATED) != (before.event_seq == 0):
        raise InvalidTransition("A workstation is created once, by its first event.", "INVALID_TRANSITION")
    after = before
    if fact.kind is Kind.CREATED or state is not before.state:
        after = replace(
            after, state=state, state_time=fact.time, reason=fact.reason, message=fact.message, deadline=None
        )
    if state is not before.state:
        rests_on = before.at_rest and state in (State.STOPPING, State.DELETING, State.ERROR)
        after = replace(after, at_rest=state is State.IDLE or rests_on)
    if state is not before.state and fact.kind is not Kind.RETRIED:
        after = replace(after, breakdown=None, failed_time=None)
    if fact.activity and fact.activity.time > after.last_activity.time:
        after = replace(after, last_activity=fact.activity)
    effect = _EFFECTS.get(fact.kind)
    return effect(after, before, fact, policy) if effect else after


_Effect = Callable[[Workstation, Workstation, Fact, Policy], Workstation]


def _begin_session(after: Workstation, before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    """A new epoch fences every worker of the one before."""
    fresh = before.service_name is None or fact.fresh_service
    k = before.k + 1 if fresh else before.k
    return replace(
        after,
        epoch=before.epoch + 1,
        k=k,
        service_name=service_name(before.uid, k),
        uri=None if fresh else before.uri,
        boot_id=None,
        session_start=fact.time,
        deadline=fact.time + policy.start_patience,
        wake_pending=False,
        retry_at=None,
        warned_time=None,
        **_reach(fact, policy),
    )


def _woken(after: Workstation, before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    """A user's own wake forgives the failures before it."""
    begun = _begin_session(after, before, fact, policy)
    return replace(begun, failures=0, replaced_times=(), attended_time=fact.time)


def _provisioned(after: Workstation, _before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    return replace(after, uri=fact.uri, deadline=fact.time + policy.start_patience)


def _started(after: Workstation, _before: Workstation, fact: Fact, _policy: Policy) -> Workstation:
    """Its uri is seen here too: a service that was made anew has one of its own."""
    return replace(after, boot_id=fact.boot_id, uri=fact.uri or after.uri)


def _resumed(after: Workstation, _before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    return replace(after, attended_time=fact.time, **_reach(fact, policy))


def _replaced(after: Workstation, before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    """An IDLE one was saved before it came to rest: nothing of it is lost. With the price of its new start paid."""
    return replace(
        after,
        epoch=before.epoch + 1,
        boot_id=None,
        deadline=fact.time + policy.start_patience,
        replaced_times=(*recent_replacements(before, policy, fact.time), fact.time),
        attended_time=fact.time if fact.activity else before.attended_time,
        unsaved_changes=before.unsaved_changes or before.may_lose_work,
        **_reach(fact, policy),
    )


def _saved(after: Workstation, _before: Workstation, fact: Fact, _policy: Policy) -> Workstation:
    return replace(after, backup=fact.backup or after.backup, saved_time=fact.time, unsaved_changes=False)


def _warned(after: Workstation, _before: Workstation, fact: Fact, _policy: Policy) -> Workstation:
    return replace(after, warned_time=fact.time, warned_reason=fact.reason)


def _stop_begun(after: Workstation, _before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    return replace(after, deadline=fact.time + policy.stop_patience, hold_until=None)


def _stopped(after: Workstation, before: Workstation, fact: Fact, _policy: Policy) -> Workstation:
    """The reason of the stop stays readable while it is STOPPED."""
    return replace(
        _off(after),
        reason=fact.reason or before.reason,
        message=fact.message or before.message,
        unsaved_changes=before.unsaved_changes or before.may_lose_work,
    )


def _failed(after: Workstation, before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    healthy_for = fact.time - before.state_time if before.state in (State.RUNNING, State.IDLE) else None
    forgiven = healthy_for is not None and healthy_for >= policy.backoff.forgiven_after
    failures = 1 if forgiven else before.failures + 1
    delay = policy.backoff.delay(failures)
    return replace(
        after,
        failures=failures,
        retry_at=fact.time + delay if delay else None,
        breakdown=fact.breakdown,
        failed_time=fact.time,
        hold_until=None,
        unsaved_changes=before.unsaved_changes or before.may_lose_work,
    )


def _retired(after: Workstation, _before: Workstation, _fact: Fact, _policy: Policy) -> Workstation:
    return replace(after, service_name=None, uri=None)


def _delete_begun(after: Workstation, _before: Workstation, fact: Fact, policy: Policy) -> Workstation:
    return replace(
        after, deadline=fact.time + policy.stop_patience, wake_pending=False, retry_at=None, hold_until=None
    )


def _deleted(after: Workstation, _before: Workstation, fact: Fact, _policy: Policy) -> Workstation:
    return replace(_off(after), service_name=None, uri=None, delete_time=fact.time)


def _off(after: Workstation) -> Workstation:
    return replace(after, boot_id=None, not_after=None)


def _reach(fact: Fact, policy: Policy) -> dict[str, Any]:
    """`notAfter` follows the reservation: what is not paid for may not run."""
    if fact.reservation is None:
        return {}
    return {"not_after": fact.reservation.until + policy.reserves.save_time}


_EFFECTS: Mapping[Kind, _Effect] = MappingProxyType(
    {
        Kind.CREATED: _woken,
        Kind.PROVISIONED: _provisioned,
        Kind.WOKEN: _woken,
        Kind.STARTED: _started,
        Kind.RESUMED: _resumed,
        Kind.REPLACED: _replaced,
        Kind.SAVED: _saved,
        Kind.WARNED: _warned,
        Kind.STOP_BEGUN: _stop_begun,
        # It runs: nobody waits any more for it to have stopped.
        Kind.STOP_CANCELLED: lambda after, _before, _fact, _policy: replace(after, wake_pending=False),
        Kind.STOPPED: _stopped,
        Kind.RETIRED: _retired,
        Kind.FAILED: _failed,
        Kind.RELEASED: lambda after, _before, _fact, _policy: _off(after),
        Kind.RETRIED: _begin_session,
        Kind.DELETE_BEGUN: _delete_begun,
        Kind.DELETED: _deleted,
    }
)
