"""Values for the tests of the domain: a workstation, its service and its agent that agree with each other.

Each builder takes only what a test is about; `NOW` is the moment at which the tests decide.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.actions import Decision
from shared.domain.breakdown import Breakdown, Cause
from shared.domain.budget import Funds, Reservation, User, save_margin
from shared.domain.lifecycle import decide
from shared.domain.names import Owner, Uid, project_key, service_name, workstation_id
from shared.domain.observed import AgentView, Busy, Observed, Phase, Scaling, ServiceView
from shared.domain.policy import Policy, Priority
from shared.domain.rates import Card, rate_for
from shared.domain.sizes import SIZES
from shared.domain.states import Reason, State
from shared.domain.usage import OpenInterval, Usage
from shared.domain.workstation import Activity, Source, Spec, Workstation

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
POLICY = Policy()

OWNER = Owner("ada")
UID = Uid("abcdefghij234567abcd")
ID = workstation_id(OWNER, "demo", "main")
BOOT = "boot-1"
REGION = "europe-west1"

_ON = (State.STARTING, State.RUNNING, State.IDLE, State.STOPPING)
_LOADED = (State.RUNNING, State.IDLE, State.STOPPING)


def a_spec(priority: Priority = Priority.NORMAL, **changes: Any) -> Spec:
    spec = Spec(
        template="python",
        image="python@sha256:1",
        size_name="light",
        size=SIZES["light"],
        port=3000,
        priority=priority,
    )
    return replace(spec, **changes)


def a_workstation(
    state: State = State.RUNNING, *, silent: timedelta = timedelta(0), **changes: Any
) -> Workstation:
    """One in `state` for an hour or for as long as its last activity was ago, which was `silent` before NOW."""
    rate = rate_for(Card.FLAT, SIZES["light"], REGION)
    usage = Usage.IDLE if state is State.IDLE else Usage.ACTIVE
    workstation = Workstation(
        id=ID,
        uid=UID,
        owner=OWNER,
        project="demo",
        project_key=project_key(OWNER, "demo"),
        name="main",
        spec=a_spec(),
        rate=rate,
        cell="local",
        create_time=NOW - 2 * HOUR,
        update_time=NOW - HOUR,
        state=state,
        state_time=NOW - max(HOUR, silent),
        last_activity=Activity(NOW - silent, Source.EXEC),
        attended_time=NOW - HOUR,
        k=1,
        service_name=service_name(UID, 1),
        uri="https://main.example",
        epoch=1,
        boot_id=BOOT if state in _LOADED else None,
        session_start=NOW - HOUR,
        not_after=NOW + 21 * MINUTE if state in _ON else None,
        # Told of everything to come: what warns is a matter of its own, in test_warnings.
        warned_time=NOW + 1000 * HOUR,
        warned_reason=Reason.STOP_TIMEOUT,
        interval=OpenInterval(
            usage=usage,
            rate=rate.idle if usage is Usage.IDLE else rate.active,
            start=NOW - HOUR,
            epoch=1,
            n=1,
        )
        if state in _ON
        else None,
    )
    return replace(workstation, **changes)


def a_service(workstation: Workstation, scaling: Scaling = Scaling.ON, **changes: Any) -> ServiceView:
    """The service as the record wants it, changed long ago."""
    service = ServiceView(
        name=workstation.service_name or "",
        etag="1",
        uid=workstation.uid,
        epoch=workstation.epoch,
        not_after=workstation.not_after,
        scaling=scaling,
        settled=True,
        changed_at=NOW - HOUR,
        uri="https://main.example",
    )
    return replace(service, **changes)


def an_agent(workstation: Workstation, **changes: Any) -> AgentView:
    """An agent that saw the same as the record, and is not busy."""
    agent = AgentView(
        boot_id=workstation.boot_id or BOOT,
        phase=Phase.READY,
        epoch=workstation.epoch,
        busy=Busy.NO,
        last_activity=workstation.last_activity,
    )
    return replace(agent, **changes)


ENOUGH = Funds(until=NOW + 20 * MINUTE, reason=None)
"""Money that lasts as far as was asked."""


CAUSES = {
    Reason.OOM: Cause.OUT_OF_MEMORY,
    Reason.CRASH: Cause.PLATFORM_FAILED,
    Reason.UNHEALTHY: Cause.NO_CAPACITY,
    Reason.START_FAILED: Cause.EXITED_AT_START,
}
"""One cause for each reason that a platform's word can have."""


def a_breakdown(reason: Reason) -> Breakdown:
    return Breakdown(CAUSES[reason], f"The platform says {reason}.")


def decide_on(
    workstation: Workstation,
    *,
    service: ServiceView | str | None = "as wanted",
    agent: AgentView | str | None = "as wanted",
    funds: Funds = ENOUGH,
    policy: Policy = POLICY,
    now: datetime = NOW,
) -> Decision:
    """What is decided about `workstation`, seen with what agrees with it unless said otherwise."""
    seen_service = a_service(workstation) if isinstance(service, str) else service
    seen_agent = _asked(workstation) if isinstance(agent, str) else agent
    return decide(workstation, Observed(service=seen_service, agent=seen_agent, funds=funds), policy, now)


def _asked(workstation: Workstation) -> AgentView | None:
    return an_agent(workstation) if workstation.state is State.RUNNING else None


def a_user(**changes: Any) -> User:
    return replace(User(owner=OWNER), **changes)


def a_reservation(workstation: Workstation, policy: Policy = POLICY) -> Reservation:
    """What pays for the open interval of `workstation` up to its notAfter."""
    assert workstation.interval is not None
    assert workstation.not_after is not None
    return Reservation(
        rate=workstation.interval.rate,
        since=workstation.interval.start,
        until=workstation.not_after - policy.reserves.save_time,
        margin=save_margin(workstation.rate.active, policy.reserves),
    )
