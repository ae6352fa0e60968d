"""The way up: what a provision or a wake needs before it runs, and when it is given up."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.actions import CreateService, Load, Record, ScaleUp, failure
from shared.domain.breakdown import Cause
from shared.domain.errors import InvalidTransition
from shared.domain.names import Uid
from shared.domain.observed import Phase, Scaling
from shared.domain.states import Kind, Reason, State
from shared.domain.workstation import Workstation
from tests.domain.builders_workstation import (
    MICROSECOND,
    MINUTE,
    NOW,
    POLICY,
    UID,
    a_breakdown,
    a_service,
    a_workstation,
    an_agent,
    decide_on,
)
from tests.domain.model_world import a_new_world

PENDING = a_workstation(State.PENDING, deadline=NOW + MINUTE)
STARTING = a_workstation(State.STARTING, deadline=NOW + MINUTE)


@pytest.mark.parametrize("workstation", [PENDING, STARTING], ids=["PENDING", "STARTING"])
def test_a_missing_service_is_created(workstation: Workstation) -> None:
    assert decide_on(workstation, service=None).action == CreateService()


def test_a_created_service_is_recorded_as_provisioned() -> None:
    service = a_service(PENDING, Scaling.OFF)

    assert decide_on(PENDING, service=service).action == Record(Kind.PROVISIONED)


@pytest.mark.parametrize("workstation", [PENDING, STARTING], ids=["PENDING", "STARTING"])
def test_a_service_of_another_life_is_not_adopted(workstation: Workstation) -> None:
    """Foreign by its uid label: the name is taken, so this start fails and says so."""
    action = decide_on(workstation, service=a_service(workstation, uid=Uid("another"))).action

    assert isinstance(action, Record)
    assert (action.kind, action.reason) == (Kind.FAILED, Reason.START_FAILED)
    assert "not this workstation's" in action.message


@pytest.mark.parametrize("workstation", [PENDING, STARTING], ids=["PENDING", "STARTING"])
@pytest.mark.parametrize("reason", [Reason.OOM, Reason.CRASH, Reason.UNHEALTHY, Reason.START_FAILED])
def test_what_the_platform_says_is_wrong_is_what_the_user_reads(
    workstation: Workstation, reason: Reason
) -> None:
    broken = a_service(workstation, breakdown=a_breakdown(reason))

    action = decide_on(workstation, service=broken).action

    assert action == failure(a_breakdown(reason))
    assert isinstance(action, Record)
    assert (action.reason, action.message.endswith(f"The platform says {reason}.")) == (reason, True)


def test_a_breakdown_that_is_still_being_reconciled_is_not_yet_a_verdict() -> None:
    """While the service changes, its condition is that of before."""
    changing = a_service(STARTING, breakdown=a_breakdown(Reason.OOM), settled=False)

    assert decide_on(STARTING, service=changing).action is None


@pytest.mark.parametrize(
    "lag",
    [
        pytest.param({"scaling": Scaling.OFF}, id="that is off"),
        pytest.param({"scaling": Scaling.OTHER}, id="scaled in a way of nobody's"),
        pytest.param({"epoch": 0}, id="of an older epoch"),
        pytest.param({"not_after": None}, id="without a notAfter"),
    ],
)
def test_a_service_that_is_not_as_recorded_is_scaled_up(lag: dict[str, Any]) -> None:
    assert decide_on(STARTING, service=replace(a_service(STARTING), **lag)).action == ScaleUp()


def test_an_instance_that_does_not_answer_yet_is_waited_for() -> None:
    decision = decide_on(STARTING, agent=None)

    assert decision.action is None
    assert decision.due_at == NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    "agent",
    [
        pytest.param({"phase": Phase.EMPTY, "epoch": None}, id="empty"),
        pytest.param({"phase": Phase.LOADING, "epoch": 1}, id="still loading"),
        pytest.param({"phase": Phase.READY, "epoch": 0}, id="loaded in an older epoch"),
    ],
)
def test_an_instance_is_loaded_before_it_serves(agent: dict[str, Any]) -> None:
    assert decide_on(STARTING, agent=an_agent(STARTING, **agent)).action == Load()


def test_a_loaded_instance_is_running() -> None:
    assert decide_on(STARTING, agent=an_agent(STARTING)).action == Record(Kind.STARTED)


@pytest.mark.parametrize(
    ("left", "late"),
    [
        pytest.param(MICROSECOND, False, id="a microsecond before the deadline it is awaited"),
        pytest.param(timedelta(0), True, id="at the deadline it is given up"),
        pytest.param(-MICROSECOND, True, id="a microsecond later it is given up"),
    ],
)
@pytest.mark.parametrize(
    ("state", "awaited"),
    [
        pytest.param(State.PENDING, CreateService(), id="PENDING"),
        pytest.param(State.STARTING, None, id="STARTING"),
    ],
)
def test_a_start_has_a_deadline(state: State, awaited: object, left: timedelta, late: bool) -> None:
    workstation = a_workstation(state, deadline=NOW + left)
    service = None if state is State.PENDING else a_service(workstation)

    action = decide_on(workstation, service=service).action

    if not late:
        assert action == awaited
    else:
        assert isinstance(action, Record)
        assert action.kind is Kind.FAILED


@pytest.mark.parametrize(
    ("service", "agent", "cause"),
    [
        pytest.param(None, None, Cause.PLATFORM_UNAVAILABLE, id="no service"),
        pytest.param({"epoch": 0}, None, Cause.PLATFORM_UNAVAILABLE, id="a service that was not scaled up"),
        pytest.param({}, None, Cause.STARTUP_TIMEOUT, id="no answer"),
        pytest.param({"breakdown": a_breakdown(Reason.OOM)}, None, Cause.OUT_OF_MEMORY, id="a broken one"),
        pytest.param({}, {"phase": Phase.LOADING}, Cause.LOAD_FAILED, id="files that are still loading"),
    ],
)
def test_a_start_that_is_given_up_says_how_far_it_came(
    service: dict[str, Any] | None, agent: dict[str, Any] | None, cause: Cause
) -> None:
    late = replace(STARTING, deadline=NOW)
    seen = None if service is None else replace(a_service(late), **service)

    action = decide_on(late, service=seen, agent=agent and an_agent(late, **agent)).action

    assert isinstance(action, Record)
    assert action.breakdown
    assert (action.kind, action.breakdown.cause) == (Kind.FAILED, cause)


def test_one_that_is_loaded_has_started_also_when_it_has_taken_its_time() -> None:
    assert STARTING.deadline is not None
    agent = an_agent(STARTING, phase=Phase.READY)

    decision = decide_on(STARTING, agent=agent, now=STARTING.deadline + MINUTE)

    assert decision.action == Record(Kind.STARTED)


def test_the_deadline_is_the_patience_from_the_provision_and_anew_from_the_creation() -> None:
    world = a_new_world(NOW, POLICY)
    assert world.workstation.deadline == NOW + POLICY.start_patience

    created = world.enact(CreateService()).later(10 * MICROSECOND).record(Kind.PROVISIONED)

    assert created.workstation.deadline == NOW + 10 * MICROSECOND + POLICY.start_patience


@pytest.mark.mission("LIFE-11")
def test_a_provision_reaches_running_and_says_each_state_on_the_way() -> None:
    world = a_new_world(NOW, POLICY).converge()

    assert world.states == (State.PENDING, State.STARTING, State.RUNNING)
    assert world.workstation.service_name == f"ws-{UID}-1"
    assert world.workstation.uri == "https://main.example"
    assert world.workstation.boot_id == "boot-1"


@pytest.mark.mission("LIFE-06")
@pytest.mark.parametrize("asleep", [State.IDLE, State.STOPPED])
def test_a_user_who_comes_back_finds_it_running(asleep: State) -> None:
    """IDLE at once, STOPPED by a new session; either way the silence counts from now."""
    world = a_new_world(NOW, POLICY).converge()
    while world.workstation.state is not asleep:
        world = world.later(MINUTE).swept()

    back = world.woken()

    assert back.workstation.state is State.RUNNING
    assert back.workstation.last_activity.time == back.now
    assert back.workstation.epoch == (1 if asleep is State.IDLE else 2)
    assert back.later(MINUTE).swept().workstation.state is State.RUNNING


def test_a_second_creation_of_the_same_record_is_refused() -> None:
    world = a_new_world(NOW, POLICY)

    with pytest.raises(InvalidTransition, match="created once"):
        world.record(Kind.CREATED)
