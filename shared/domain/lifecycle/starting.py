"""On the way up: the service follows the record, the instance is loaded, and only then it is RUNNING."""

from datetime import datetime, timedelta

from shared.domain.actions import CreateService, Decision, Load, Record, ScaleUp, failure
from shared.domain.breakdown import Breakdown, Cause, plain
from shared.domain.lifecycle.endings import forced_ending
from shared.domain.observed import AgentView, Observed, Phase, Scaling, ServiceView
from shared.domain.policy import Policy
from shared.domain.states import Kind, State
from shared.domain.workstation import Workstation

POLL = timedelta(seconds=5)
"""How soon the sweep looks again at something that is under way."""


def pending(workstation: Workstation, observed: Observed, now: datetime) -> Decision:
    service = observed.service
    if service is None:
        return _late(workstation, observed, now) or Decision(CreateService(), now + POLL)
    if service.uid != workstation.uid:
        return _foreign(service)
    if service.breakdown:
        return failed(service.breakdown)
    return Decision(Record(Kind.PROVISIONED), now)


def starting(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> Decision:
    service, agent = observed.service, observed.agent
    if ending := forced_ending(workstation, observed.funds, policy, now):
        return Decision(Record(Kind.STOP_BEGUN, ending.reason, ending.message), None)
    if service and agent and _is_up(workstation, service, agent):
        return Decision(Record(Kind.STARTED), now)
    if late := _late(workstation, observed, now):
        return late
    if service is None:
        return Decision(CreateService(), now + POLL)
    if service.uid != workstation.uid:
        return _foreign(service)
    if is_behind(workstation, service):
        return Decision(ScaleUp(), now + POLL)
    if service.breakdown and service.settled:
        return failed(service.breakdown)
    return Decision(Load() if agent else None, now + POLL)


def _is_up(workstation: Workstation, service: ServiceView, agent: AgentView) -> bool:
    """Loaded, and all that the record wants: also when it has taken its time."""
    loaded = agent.phase is Phase.READY and agent.epoch == workstation.epoch
    return loaded and service.uid == workstation.uid and not is_behind(workstation, service)


def is_behind(workstation: Workstation, service: ServiceView) -> bool:
    """Whether the service does not show what the record wants of a running one."""
    return (
        service.scaling is not Scaling.ON
        or service.epoch != workstation.epoch
        or service.not_after != workstation.not_after
    )


def is_given_up(workstation: Workstation, now: datetime) -> bool:
    """Whether it is a start, and has had its time."""
    starts = workstation.state in (State.PENDING, State.STARTING)
    return starts and workstation.deadline is not None and now >= workstation.deadline


def unanswered(message: str) -> Breakdown:
    """What is so when a start has had its time and the platform did not even answer."""
    return Breakdown(Cause.PLATFORM_UNAVAILABLE, plain(message))


def failed(breakdown: Breakdown) -> Decision:
    return Decision(failure(breakdown), None)


def _foreign(service: ServiceView) -> Decision:
    message = f"A service named {service.name} exists and is not this workstation's."
    return failed(Breakdown(Cause.NAME_TAKEN, message))


def _late(workstation: Workstation, observed: Observed, now: datetime) -> Decision | None:
    return failed(_why_late(workstation, observed)) if is_given_up(workstation, now) else None


def _why_late(workstation: Workstation, observed: Observed) -> Breakdown:
    """As far up as it came: the platform, then the container, then the workspace."""
    service = observed.service
    if service is None or service.uid != workstation.uid or is_behind(workstation, service):
        return Breakdown(Cause.PLATFORM_UNAVAILABLE)
    if service.breakdown and service.settled:
        return service.breakdown
    if observed.agent is None:
        return Breakdown(Cause.STARTUP_TIMEOUT, "Its container gave no answer.")
    return Breakdown(Cause.LOAD_FAILED, "It took too long.")
