"""What should happen to a workstation now, why, and when to look again: `decide`, a pure function.

Ordered, first match wins. At most one action at a time: whoever performs it observes again and asks again, until
there is nothing to do. Deciding again after acting is quiet; without activity nothing ever becomes more alive.
"""

from dataclasses import replace
from datetime import datetime

from shared.domain.actions import Decision, Purge
from shared.domain.lifecycle.alive import alive, probe_at
from shared.domain.lifecycle.starting import pending, starting
from shared.domain.lifecycle.stopping import UNHURRIED, deleting, error, stopped, stopping
from shared.domain.observed import Observed, Scaling, ServiceView
from shared.domain.policy import Policy
from shared.domain.states import State
from shared.domain.workstation import Workstation

__all__ = ["UNHURRIED", "asks_agent", "decide"]


def decide(workstation: Workstation, observed: Observed, policy: Policy, now: datetime) -> Decision:
    """The next step of one workstation."""
    if workstation.state not in (State.PENDING, State.STARTING):
        observed = _own(workstation, observed)
    match workstation.state:
        case State.PENDING:
            return pending(workstation, observed, now)
        case State.STARTING:
            return starting(workstation, observed, policy, now)
        case State.RUNNING | State.IDLE:
            return alive(workstation, observed, policy, now)
        case State.STOPPING:
            return stopping(workstation, observed, now)
        case State.STOPPED:
            return stopped(workstation, observed, policy, now)
        case State.ERROR:
            return error(workstation, observed, now)
        case State.DELETING:
            return deleting(workstation, observed, now)
        case State.DELETED:
            return Decision(Purge() if workstation.purge else None, None)


def _own(workstation: Workstation, observed: Observed) -> Observed:
    """What was seen, without a service that bears the name but is another's: it is not ours to scale or delete."""
    foreign = observed.service is not None and observed.service.uid != workstation.uid
    return replace(observed, service=None) if foreign else observed


def asks_agent(workstation: Workstation, service: ServiceView | None, policy: Policy, now: datetime) -> bool:
    """Whether the agent's word is needed: an IDLE one is never woken by a question."""
    if service is None or service.scaling is not Scaling.ON or service.epoch != workstation.epoch:
        return False
    if workstation.state is State.STARTING:
        return True
    return workstation.state is State.RUNNING and now >= probe_at(workstation, policy)
