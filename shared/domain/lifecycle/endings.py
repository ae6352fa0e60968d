"""What will end a workstation's run, and when, as things are now: the stops that nobody asked for.

The same list decides the stop itself, warns of it, and tells a user "stops at 14:32, because ...".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.budget import Funds
from shared.domain.policy import Policy, Priority
from shared.domain.states import Reason
from shared.domain.workstation import Workstation

WARNINGS = (timedelta(minutes=10), timedelta(minutes=2))
"""So long before a stop its user is told; those still ahead when it comes into sight."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One stop to come: when, why, and the words for it."""

    time: datetime
    reason: Reason
    message: str = ""


def endings(
    workstation: Workstation, funds: Funds, quiet_since: datetime, policy: Policy
) -> tuple[Ending, ...]:
    """Every stop that lies ahead or is overdue, in the order in which their reasons count."""
    return (*forced_endings(workstation, funds, policy), *quiet_endings(workstation, quiet_since, policy))


def forced_endings(workstation: Workstation, funds: Funds, policy: Policy) -> tuple[Ending, ...]:
    """Caps and the unattended limit: nothing outlives them, critical ones included."""
    unattended = Ending(
        workstation.attended_time + policy.max_unattended,
        Reason.SAFETY_LIMIT,
        "Nobody has been there for too long.",
    )
    if funds.reason is None:
        return (unattended,)
    return (Ending(funds.until - policy.lead, funds.reason, "The spending limit is reached."), unattended)


def quiet_endings(workstation: Workstation, quiet_since: datetime, policy: Policy) -> tuple[Ending, ...]:
    """The stop that activity may still call off comes first; the safety limit is for where none applies."""
    found = []
    if stop_after := workstation.stop_after(policy):
        found.append(Ending(quiet_since + stop_after, Reason.STOP_TIMEOUT))
    if workstation.spec.priority is not Priority.CRITICAL:
        safety = quiet_since + policy.max_idle
        found.append(Ending(safety, Reason.SAFETY_LIMIT, "It was silent for too long."))
    return tuple(found)


def forced_ending(workstation: Workstation, funds: Funds, policy: Policy, now: datetime) -> Ending | None:
    """The forced stop that is due."""
    return next((end for end in forced_endings(workstation, funds, policy) if end.time <= now), None)


def next_ending(workstation: Workstation, funds: Funds, quiet_since: datetime, policy: Policy) -> Ending:
    """The stop that comes first."""
    return min(endings(workstation, funds, quiet_since, policy), key=lambda end: end.time)


def is_to_warn(workstation: Workstation, ending: Ending, now: datetime) -> bool:
    """Whether a warning of `ending` is due that was not given. One that activity moved away is given anew."""
    given = workstation.warned_time if workstation.warned_reason is ending.reason else None
    return any(
        ending.time - ahead <= now and (given is None or given < ending.time - ahead) for ahead in WARNINGS
    )


def warning_times(ending: Ending, now: datetime) -> list[datetime]:
    """When to look again so that a warning is in time."""
    return [ending.time - ahead for ahead in WARNINGS if ending.time - ahead > now]
