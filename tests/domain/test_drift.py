"""What is done where record and reality have come apart, and about what is at rest."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.actions import Admit, CreateService, DeleteService, Purge, Record, Save, ScaleDown, failure
from shared.domain.names import Uid, service_name
from shared.domain.observed import SETTLE, Scaling, ServiceView
from shared.domain.states import Kind, Reason, State
from tests.domain.builders_workstation import (
    HOUR,
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
from tests.domain.model_world import World, a_new_world

STOPPED = a_workstation(State.STOPPED)
OFF = a_service(STOPPED, Scaling.OFF)


def stopped_world() -> World:
    return a_new_world(NOW, POLICY).converge().later(MINUTE).stopped_by_user().later(SETTLE).converge()


# --- alive -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.RUNNING, State.IDLE])
def test_one_that_was_scaled_to_zero_from_outside_stops_as_overdue(state: State) -> None:
    """So does the cleanup pass, when the sweep is dead."""
    workstation = a_workstation(state)

    action = decide_on(workstation, service=a_service(workstation, Scaling.OFF)).action

    assert isinstance(action, Record)
    assert (action.kind, action.reason) == (Kind.STOP_BEGUN, Reason.OVERDUE)


@pytest.mark.parametrize("state", [State.RUNNING, State.IDLE])
def test_one_whose_service_is_gone_has_crashed(state: State) -> None:
    action = decide_on(a_workstation(state), service=None).action

    assert isinstance(action, Record)
    assert (action.kind, action.reason) == (Kind.FAILED, Reason.CRASH)


@pytest.mark.parametrize("reason", [Reason.OOM, Reason.CRASH, Reason.UNHEALTHY])
def test_what_the_platform_says_is_wrong_is_the_reason(reason: Reason) -> None:
    workstation = a_workstation()
    broken = a_service(workstation, breakdown=a_breakdown(reason))

    assert decide_on(workstation, service=broken).action == failure(a_breakdown(reason))


def test_an_instance_that_the_platform_replaced_is_started_anew() -> None:
    workstation = a_workstation(silent=2 * MINUTE)

    action = decide_on(workstation, agent=an_agent(workstation, boot_id="boot-2")).action

    assert isinstance(action, Record)
    assert (action.kind, action.reason) == (Kind.REPLACED, Reason.CRASH)


def test_a_replaced_instance_is_loaded_before_it_runs_again() -> None:
    world = a_new_world(NOW, POLICY).converge().later(2 * MINUTE)

    replaced = world.with_new_instance().converge()

    assert replaced.states[-2:] == (State.STARTING, State.RUNNING)
    assert replaced.workstation.boot_id == "boot-2"
    assert replaced.workstation.epoch == world.workstation.epoch + 1


@pytest.mark.parametrize("state", [State.RUNNING, State.IDLE, State.STOPPING, State.STOPPED, State.ERROR])
def test_a_service_of_another_life_is_neither_scaled_nor_deleted(state: State) -> None:
    """It only bears the name: for this workstation it is as absent."""
    workstation = a_workstation(state, retry_at=NOW, interval=None)
    foreign = a_service(workstation, uid=Uid("another"))

    assert decide_on(workstation, service=foreign) == decide_on(workstation, service=None)


def test_a_taken_name_is_got_around_by_the_next_one() -> None:
    """Provisioned onto a foreign service: it fails, and the retry makes a service of its own name."""
    pending = a_new_world(NOW, POLICY)
    foreign = pending.enact(CreateService())
    assert foreign.service
    taken = replace(foreign, service=replace(foreign.service, uid=Uid("another"), scaling=Scaling.ON))

    failed = taken.converge()
    assert failed.workstation.state is State.ERROR
    assert failed.service == taken.service

    retried = failed.later(MINUTE).decision().action
    assert retried == Admit(Kind.RETRIED, fresh_service=True)
    assert failed.later(MINUTE).enact(retried).workstation.service_name == service_name(UID, 2)


# --- at rest ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", [Scaling.ON, Scaling.OTHER])
def test_a_stopped_workstation_whose_service_is_on_is_scaled_down(scaling: Scaling) -> None:
    assert decide_on(STOPPED, service=a_service(STOPPED, scaling)).action == ScaleDown()


@pytest.mark.parametrize(
    ("beyond", "action"),
    [
        pytest.param(-MICROSECOND, None, id="not a microsecond before thirty days"),
        pytest.param(timedelta(0), DeleteService(), id="after thirty days"),
        pytest.param(MICROSECOND, DeleteService(), id="and later"),
    ],
)
def test_a_service_is_deleted_after_the_retention(beyond: timedelta, action: object) -> None:
    stopped = replace(STOPPED, state_time=NOW - POLICY.retention - beyond)

    assert decide_on(stopped, service=OFF).action == action


def test_a_stopped_workstation_is_not_looked_at_before_its_retention_ends() -> None:
    assert decide_on(STOPPED, service=OFF).due_at == STOPPED.state_time + POLICY.retention


def test_a_stopped_workstation_whose_service_is_gone_is_retired_once_and_then_at_rest() -> None:
    assert decide_on(STOPPED, service=None).action == Record(Kind.RETIRED, Reason.RETENTION)

    decision = decide_on(replace(STOPPED, service_name=None), service=None)

    assert (decision.action, decision.due_at) == (None, None)


def test_a_wake_after_the_retention_makes_the_service_anew_under_a_name_of_its_own() -> None:
    retired = stopped_world().later(POLICY.retention).converge()
    assert retired.workstation.state is State.STOPPED
    assert (retired.service, retired.workstation.service_name, retired.workstation.uri) == (None, None, None)

    woken = retired.woken().workstation

    assert woken.state is State.RUNNING
    assert woken.service_name == service_name(UID, 2)
    assert woken.uri == "https://main.example"


def test_a_pending_wake_comes_before_everything_else_of_a_stopped_one() -> None:
    wanted = replace(STOPPED, wake_pending=True, state_time=NOW - 2 * POLICY.retention)

    assert decide_on(wanted, service=OFF).action == Admit(Kind.WOKEN)
    assert decide_on(wanted, service=None).action == Admit(Kind.WOKEN, fresh_service=True)


# --- deleting --------------------------------------------------------------------------------------------------


def test_a_running_workstation_is_saved_before_it_is_deleted() -> None:
    deleting = a_workstation(State.DELETING, deadline=NOW + MINUTE, boot_id="boot-1")

    assert decide_on(deleting).action == Save(force=True)
    assert decide_on(replace(deleting, saved_time=NOW)).action == DeleteService()
    assert decide_on(replace(deleting, deadline=NOW)).action == DeleteService()


def test_a_stopped_workstation_is_deleted_without_being_woken_for_a_save() -> None:
    deleting = a_workstation(State.DELETING, deadline=NOW + MINUTE)

    assert decide_on(deleting, service=a_service(deleting, Scaling.OFF)).action == DeleteService()


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(None, id="its service is gone"),
        pytest.param(a_service(STOPPED, uid=Uid("another")), id="its service is another's"),
    ],
)
def test_it_is_deleted_once(service: ServiceView | None) -> None:
    deleting = a_workstation(State.DELETING)

    assert decide_on(deleting, service=service).action == Record(Kind.DELETED)


@pytest.mark.parametrize("state", sorted(set(State) - {State.DELETING, State.DELETED}))
def test_delete_is_valid_in_every_state(state: State) -> None:
    world = a_new_world(NOW, POLICY)
    in_state = replace(world, workstation=replace(world.workstation, state=state))

    assert in_state.record(Kind.DELETE_BEGUN).workstation.state is State.DELETING


def test_deleted_stays_deleted_and_asks_for_nothing() -> None:
    deleted = a_new_world(NOW, POLICY).converge().later(HOUR).deleted_by_user().converge()

    assert deleted.workstation.state is State.DELETED
    assert deleted.user.reservations == {}
    assert deleted.workstation.interval is None
    decision = deleted.later(1000 * HOUR).decision()
    assert (decision.action, decision.due_at) == (None, None)


def test_one_that_is_purged_is_forgotten() -> None:
    purged = a_workstation(State.DELETED, purge=True)

    assert decide_on(purged, service=None).action == Purge()
