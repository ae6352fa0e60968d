"""Another instance answers than the one that was loaded: the platform's doing now and then, or one more crash of many.

What brought an instance down is not known here. The platform tells no reason for one that had started, a fresh agent
knows nothing of the one before, and the tenant's word would prove nothing: so memory is named as the usual cause.
"""

from datetime import datetime

from shared.domain.actions import Record, failure
from shared.domain.breakdown import Breakdown, Cause
from shared.domain.policy import Policy
from shared.domain.states import Kind, Reason
from shared.domain.workstation import Workstation, recent_replacements


def replaced(workstation: Workstation, policy: Policy, now: datetime) -> Record:
    """It is loaded anew, unless that happened too often of late: then it is given up like any other ERROR."""
    count = len(recent_replacements(workstation, policy, now)) + 1
    if count < policy.replacements.most:
        return Record(
            Kind.REPLACED, Reason.CRASH, f"The platform replaced its instance. {what_is_lost(workstation)}"
        )
    minutes = policy.replacements.within.total_seconds() / 60
    message = f"{count} times within {minutes:g} minutes. {what_is_lost(workstation)}"
    return failure(Breakdown(Cause.CRASH_LOOP, message))


def what_is_lost(workstation: Workstation) -> str:
    """In words, for an instance that is gone."""
    return lost_since(workstation) if workstation.may_lose_work else "Nothing is lost: it had been saved."


def lost_since(workstation: Workstation) -> str:
    """In words, where something is."""
    if workstation.saved_time is None:
        return "It had never been saved, so what was in it is lost."
    return f"What changed after the save of {workstation.saved_time:%Y-%m-%dT%H:%M:%SZ} is lost."
