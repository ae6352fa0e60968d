"""On the way up: the service follows the record, the instance is loaded, and only then it is RUNNING."""

from datetime import datetime, timedelta

from shared.domain.actions import CreateService, Decision, Load, Record, ScaleUp
from shared.domain.lifecycle.endings import forced_ending
from shared.domain.observed import Observed, Phase, Scaling, ServiceView
from shared.domain.policy import Policy
from shared.domain.states import Kind, Reason
from shared.domain.workstation import Workstation

POLL = timedelta(seconds=5)
"""How soon the sweep looks again at something that is under way."""


def pending(workstation: Workstation, observed: Observed, now: datetime) -> Decision:
    service = observed.service
    if service is None:
        return _late(workstation, now) or Decision(CreateService(), now + POLL)
    if service.uid != workstation.uid:
        return _foreign(service)
    if service.breakdown:
        return failed(service.breakdown.reason, service.breakdown.message)
    return Decision(Record(Kind.PROVISIONED), now)


def starting(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> Decision:
    service, agent = observed.service, observed.agent
    if ending := forced_ending(workstation, observed.funds, policy, now):
        return Decision(Record(Kind.STOP_BEGUN, ending.reason, ending.message), None)
    if late := _late(workstation, now):
        return late
    if service is None:
        return Decision(CreateService(), now + POLL)
    if service.uid != workstation.uid:
        return _foreign(service)
    if is_behind(workstation, service):
        return Decision(ScaleUp(), now + POLL)
    if service.breakdown and service.settled:
        return failed(service.breakdown.reason, service.breakdown.message)
    if agent is None:
        return Decision(None, now + POLL)
    if agent.phase is Phase.READY and agent.epoch == workstation.epoch:
        return Decision(Record(Kind.STARTED), now)
    return Decision(Load(), now + POLL)


def is_behind(workstation: Workstation, service: ServiceView) -> bool:
    """Whether the service does not show what the record wants of a running one."""
    return (
        service.scaling is not Scaling.ON
        or service.epoch != workstation.epoch
        or service.not_after != workstation.not_after
    )


def _foreign(service: ServiceView) -> Decision:
    return failed(
        Reason.START_FAILED, f"A service named {service.name} exists and is not this workstation's."
    )


def _late(workstation: Workstation, now: datetime) -> Decision | None:
    if workstation.deadline is None or now < workstation.deadline:
        return None
    return failed(Reason.START_FAILED, "It was not ready in time; the log of the workstation may say why.")


def failed(reason: Reason, message: str) -> Decision:
    return Decision(Record(Kind.FAILED, reason, message), None)
