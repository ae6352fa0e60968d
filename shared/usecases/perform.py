"""Doing what was decided: one small function for each action, each of them safe to repeat."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from shared.domain.actions import (
    Action,
    Admit,
    CreateService,
    DeleteService,
    Hold,
    Load,
    Purge,
    Record,
    Renew,
    Rest,
    Resume,
    Save,
    ScaleDown,
    ScaleUp,
    Touch,
    failure,
)
from shared.domain.breakdown import Breakdown, Cause, plain
from shared.domain.budget import admit, reserve
from shared.domain.errors import (
    CapReached,
    DormouseError,
    FailedPrecondition,
    OtherInstance,
    StaleWrite,
    Unavailable,
)
from shared.domain.facts import Fact, Origin
from shared.domain.observed import ServiceView
from shared.domain.operations import fail
from shared.domain.states import Kind, Reason
from shared.domain.workstation import Activity, Source
from shared.ports import Quiescence
from shared.usecases.deps import Deps
from shared.usecases.observe import Sight, address_of
from shared.usecases.recording import amend, commit, fact_of
from shared.usecases.saving import save_workspace

_REFUSED_LOADS = {"NO_SPACE": Cause.DISK_FULL, "BACKUP_CORRUPT": Cause.BACKUP_DAMAGED}


def perform(deps: Deps, sight: Sight, action: Action, origin: Origin) -> None:
    """Do one action on what was seen. Raises StaleWrite where it is no longer so, Unavailable."""
    _PERFORMERS[type(action)](deps, sight, action, origin)


def _create_service(deps: Deps, sight: Sight, _action: CreateService, _origin: Origin) -> None:
    deps.services.create(sight.workstation)


def _scale_up(deps: Deps, sight: Sight, _action: ScaleUp, _origin: Origin) -> None:
    deps.services.scale_up(sight.workstation, _seen(sight).etag)


def _scale_down(deps: Deps, sight: Sight, _action: ScaleDown, _origin: Origin) -> None:
    deps.services.scale_down(sight.workstation.cell, _seen(sight))


def _delete_service(deps: Deps, sight: Sight, _action: DeleteService, _origin: Origin) -> None:
    deps.services.delete(sight.workstation.cell, _seen(sight))


def _purge(deps: Deps, sight: Sight, _action: Purge, _origin: Origin) -> None:
    deps.records.purge(sight.snapshot.workstation)


def _load(deps: Deps, sight: Sight, _action: Load, origin: Origin) -> None:
    """What the agent refuses now it would refuse again: the start has failed, and the agent knows why."""
    backup = sight.workstation.backup
    grant = deps.backups.download_grant(backup.object_name) if backup else None
    # Meant for the very instance that was seen: come late, it would fill a later one with older files.
    seen = sight.observed.agent.boot_id if sight.observed.agent else None
    try:
        deps.agents.load(replace(address_of(sight.workstation, _seen(sight)), boot_id=seen), backup, grant)
    except FailedPrecondition as refusal:
        _record(deps, sight, failure(_refused_load(refusal)), origin)


def _refused_load(refusal: FailedPrecondition) -> Breakdown:
    cause = _REFUSED_LOADS.get(refusal.metadata.get("agentReason", ""), Cause.LOAD_FAILED)
    return Breakdown(cause, plain(refusal.message))


def _save(deps: Deps, sight: Sight, action: Save, origin: Origin) -> None:
    """A refusal is activity: it calls off a stop that nobody forces."""
    reason = sight.workstation.reason or Reason.USER
    try:
        if _quiesce(deps, sight, idle_seconds=None, force=action.force, reason=reason):
            save_workspace(deps, sight, origin)
        elif action.force:
            # Whoever refuses this is no agent of ours, or an empty one.
            _lose(deps, sight)
    except OtherInstance:
        _lose(deps, sight)


def _lose(deps: Deps, sight: Sight) -> None:
    """The instance that was loaded is gone, and what it had not saved with it: there is nothing to save any more."""
    lost = sight.workstation.unsaved_changes or sight.workstation.may_lose_work
    amend(deps, sight.snapshot, replace(sight.workstation, boot_id=None, unsaved_changes=lost))


def _rest(deps: Deps, sight: Sight, _action: Rest, origin: Origin) -> None:
    """Asked and frozen in one step inside the workstation; saved before IDLE, because IDLE may be taken away."""
    idle_after = sight.workstation.idle_after(deps.policy).total_seconds()
    if not _quiesce(deps, sight, idle_seconds=idle_after, force=False, reason=Reason.IDLE):
        return
    try:
        saved = save_workspace(deps, sight, origin)
        if saved.workstation.value.last_activity != sight.workstation.last_activity:
            raise StaleWrite("Somebody came back while it was being saved.")
        commit(deps, saved, Fact(kind=Kind.IDLED, time=saved.now, origin=origin, reason=Reason.IDLE))
    except DormouseError:
        deps.agents.resume(address_of(sight.workstation, _seen(sight)))
        raise


def _resume(deps: Deps, sight: Sight, _action: Resume, _origin: Origin) -> None:
    deps.agents.resume(address_of(sight.workstation, _seen(sight)))


def _quiesce(deps: Deps, sight: Sight, *, idle_seconds: float | None, force: bool, reason: Reason) -> bool:
    address = address_of(sight.workstation, _seen(sight))
    answer = deps.agents.quiesce(address, idle_seconds=idle_seconds, force=force, reason=reason)
    if not answer.quiesced and not force:
        amend(deps, sight.snapshot, replace(sight.workstation, last_activity=_newest(sight, answer)))
    return answer.quiesced


def _newest(sight: Sight, answer: Quiescence) -> Activity:
    """Busy without a named activity is activity now."""
    seen = answer.activity
    if seen and seen.time > sight.workstation.last_activity.time:
        return seen
    return Activity(sight.now, Source.PROCESS, answer.cause)


def _hold(deps: Deps, sight: Sight, _action: Hold, _origin: Origin) -> None:
    """The gateway claims the hold in the record before it answers; one that is away is asked again in a minute."""
    try:
        deps.holds.begin(sight.workstation.id)
    except Unavailable:
        later = sight.now + deps.policy.sweep_interval
        amend(deps, sight.snapshot, replace(sight.workstation, hold_until=later))


def _renew(deps: Deps, sight: Sight, action: Renew, _origin: Origin) -> None:
    """The reservation first; the next step tells the service."""
    workstation = sight.workstation
    held = replace(sight.user.reservations[workstation.id], until=action.until)
    after = replace(workstation, not_after=action.until + deps.policy.reserves.save_time)
    amend(deps, sight.snapshot, after, user=reserve(sight.user, workstation.id, held))


def _touch(deps: Deps, sight: Sight, action: Touch, _origin: Origin) -> None:
    newest = max(sight.workstation.last_activity, action.activity, key=lambda activity: activity.time)
    after = replace(sight.workstation, last_activity=newest)
    if action.attended:
        after = replace(after, attended_time=max(after.attended_time, action.activity.time))
    amend(deps, sight.snapshot, after)


def _admit(deps: Deps, sight: Sight, action: Admit, origin: Origin) -> None:
    workstation, caps = sight.workstation, sight.user.caps(deps.policy.caps)
    try:
        reservation = admit(
            sight.user, caps, deps.policy.reserves, workstation.id, workstation.rate.active, sight.now
        )
    except CapReached as refusal:
        _refuse(deps, sight, refusal)
        return
    fact = Fact(
        kind=action.kind,
        time=sight.now,
        origin=origin,
        reservation=reservation,
        fresh_service=action.fresh_service,
    )
    commit(deps, sight.snapshot, fact)


def _refuse(deps: Deps, sight: Sight, refusal: CapReached) -> None:
    """No money: nothing runs, whoever waits is told why, and it is the user's turn."""
    failed = tuple(fail(operation, refusal, sight.now) for operation in sight.workstation.operations)
    after = replace(sight.workstation, wake_pending=False, retry_at=None, operations=())
    amend(deps, sight.snapshot, after, operations=failed)


def _record(deps: Deps, sight: Sight, action: Record, origin: Origin) -> None:
    service, agent = sight.observed.service, sight.observed.agent
    fact = replace(
        fact_of(action, sight.now, origin),
        boot_id=agent.boot_id if agent else None,
        uri=service.uri if service else None,
        gone_time=service.gone_time if service else None,
    )
    commit(deps, sight.snapshot, fact)


def _seen(sight: Sight) -> ServiceView:
    """The service that the decision was about; a decision never names one that was not seen."""
    assert sight.observed.service is not None
    return sight.observed.service


_PERFORMERS: Mapping[type, Callable[[Deps, Sight, Any, Origin], None]] = MappingProxyType(
    {
        CreateService: _create_service,
        ScaleUp: _scale_up,
        ScaleDown: _scale_down,
        DeleteService: _delete_service,
        Purge: _purge,
        Load: _load,
        Save: _save,
        Rest: _rest,
        Resume: _resume,
        Hold: _hold,
        Renew: _renew,
        Touch: _touch,
        Admit: _admit,
        Record: _record,
    }
)
