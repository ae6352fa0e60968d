"""On the way down, and at rest: saved, scaled to zero, seen gone; released, retried, retired or deleted."""

from datetime import datetime, timedelta

from shared.domain.actions import Admit, Decision, DeleteService, Record, Save, ScaleDown
from shared.domain.lifecycle.replaced import lost_since
from shared.domain.lifecycle.starting import POLL
from shared.domain.observed import SETTLE, Observed, Scaling, ServiceView
from shared.domain.policy import Policy
from shared.domain.states import Kind, Reason
from shared.domain.usage import Usage
from shared.domain.workstation import Workstation

UNHURRIED = frozenset({Reason.IDLE, Reason.STOP_TIMEOUT})
"""Stops that activity calls off and that a busy agent may refuse; every other stop is forced."""


def stopping(workstation: Workstation, observed: Observed, now: datetime) -> Decision:
    service = observed.service
    forced = workstation.reason not in UNHURRIED
    if service is None or service.is_gone(now):
        return Decision(Record(Kind.STOPPED, message=_last_words(workstation)), now)
    if service.scaling is Scaling.OFF:
        return Decision(None, _settles(service, now))
    called_off = workstation.last_activity.time > workstation.state_time and not _is_asleep(workstation)
    if not forced and called_off:
        return Decision(Record(Kind.STOP_CANCELLED), now)
    return _save_first(workstation, now, forced) or Decision(ScaleDown(), now + SETTLE)


def _last_words(workstation: Workstation) -> str:
    """Why it stopped stays as it is; what the stop could not save is added."""
    if not (workstation.unsaved_changes or workstation.may_lose_work):
        return ""
    return f"{workstation.message} {lost_since(workstation)}".strip()


def _save_first(workstation: Workstation, now: datetime, force: bool) -> Decision | None:
    """A stop saves first; when its patience, or its money, is at an end, it goes on without."""
    if not workstation.has_unsaved_work or _is_asleep(workstation) or now >= _save_deadline(workstation):
        return None
    return Decision(Save(force), now + POLL)


def _is_asleep(workstation: Workstation) -> bool:
    """It came from IDLE, saved, and there is no money to let it loose again, be it to be looked at once more."""
    return workstation.interval is not None and workstation.interval.usage is Usage.IDLE


def _save_deadline(workstation: Workstation) -> datetime:
    limits = [limit for limit in (workstation.deadline, workstation.not_after) if limit]
    return min(limits) if limits else workstation.state_time


def _settles(service: ServiceView, now: datetime) -> datetime:
    return max(service.changed_at + SETTLE, now + timedelta(seconds=1))


def stopped(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> Decision:
    service = observed.service
    if workstation.wake_pending:
        return Decision(Admit(Kind.WOKEN, fresh_service=service is None), now)
    if service is None:
        return Decision(Record(Kind.RETIRED, Reason.RETENTION) if workstation.service_name else None, None)
    if service.scaling is not Scaling.OFF:
        return Decision(ScaleDown(), now + SETTLE)
    if now >= workstation.state_time + policy.retention:
        return Decision(DeleteService(), now + policy.sweep_interval)
    return Decision(None, workstation.state_time + policy.retention)


def error(workstation: Workstation, observed: Observed, now: datetime) -> Decision:
    """Releases what costs money, then tries again, then waits for the user."""
    service = observed.service
    if service and service.scaling is not Scaling.OFF:
        return Decision(ScaleDown(), now + SETTLE)
    gone = service is None or service.is_gone(now)
    if workstation.interval and gone:
        return Decision(Record(Kind.RELEASED), now)
    if service and not gone:
        return Decision(None, _settles(service, now))
    if workstation.retry_at is None or now < workstation.retry_at:
        return Decision(None, workstation.retry_at)
    return Decision(Admit(Kind.RETRIED, fresh_service=service is None), now + POLL)


def deleting(workstation: Workstation, observed: Observed, now: datetime) -> Decision:
    service = observed.service
    if service is None:
        return Decision(Record(Kind.DELETED), now)
    saving = service.scaling is Scaling.ON and _save_first(workstation, now, force=True)
    return saving or Decision(DeleteService(), now + SETTLE)
