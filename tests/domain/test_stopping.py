"""Every stop saves first; activity calls off the ones that nobody forces; gone is only what was seen gone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.actions import Record, Resume, Save, ScaleDown
from shared.domain.lifecycle import UNHURRIED
from shared.domain.observed import SETTLE, Busy, Phase, Scaling
from shared.domain.states import Kind, Reason, State
from shared.domain.workstation import Activity, Source, Workstation
from tests.domain.builders_workstation import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOW,
    POLICY,
    a_service,
    a_workstation,
    an_agent,
    decide_on,
)
from tests.domain.model_world import World, a_new_world

FORCED = sorted(set(Reason) - UNHURRIED)
BEGUN = NOW - MINUTE


def a_stopping(reason: Reason = Reason.STOP_TIMEOUT, **changes: Any) -> Workstation:
    """One whose stop began a minute ago, after half an hour of silence, with nothing saved yet."""
    defaults: dict[str, Any] = {
        "silent": 31 * MINUTE,
        "state_time": BEGUN,
        "deadline": BEGUN + POLICY.stop_patience,
        "reason": reason,
    }
    return a_workstation(State.STOPPING, **{**defaults, **changes})


def running() -> World:
    return a_new_world(NOW, POLICY).converge()


# --- save first ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", sorted(UNHURRIED))
def test_an_unhurried_stop_saves_and_may_be_refused(reason: Reason) -> None:
    assert decide_on(a_stopping(reason)).action == Save(force=False)


@pytest.mark.parametrize("reason", FORCED)
def test_a_forced_stop_saves_and_may_not_be_refused(reason: Reason) -> None:
    assert decide_on(a_stopping(reason)).action == Save(force=True)


@pytest.mark.parametrize(
    ("saved", "action"),
    [
        pytest.param(None, Save(force=False), id="never saved"),
        pytest.param(BEGUN - MICROSECOND, Save(force=False), id="saved just before the stop began"),
        pytest.param(BEGUN, ScaleDown(), id="saved as the stop began"),
        pytest.param(BEGUN + MICROSECOND, ScaleDown(), id="saved after the stop began"),
    ],
)
def test_it_is_scaled_down_once_it_is_saved(saved: object, action: object) -> None:
    assert decide_on(a_stopping(saved_time=saved)).action == action


def test_an_instance_that_was_never_loaded_has_nothing_to_save() -> None:
    assert decide_on(a_stopping(boot_id=None)).action == ScaleDown()


AROUND = [
    pytest.param(MICROSECOND, True, id="a microsecond before it still tries to save"),
    pytest.param(timedelta(0), False, id="exactly then it goes on without"),
    pytest.param(-MICROSECOND, False, id="a microsecond later it goes on without"),
]


@pytest.mark.parametrize(("left", "saves"), AROUND)
def test_saving_has_a_patience(left: timedelta, saves: bool) -> None:
    action = decide_on(a_stopping(deadline=NOW + left)).action

    assert action == (Save(force=False) if saves else ScaleDown())


@pytest.mark.parametrize(("left", "saves"), AROUND)
def test_money_is_never_spent_on_saving_beyond_not_after(left: timedelta, saves: bool) -> None:
    action = decide_on(a_stopping(Reason.DAILY_CAP, not_after=NOW + left)).action

    assert action == (Save(force=True) if saves else ScaleDown())


def test_the_patience_counts_from_the_begin_of_the_stop() -> None:
    stopping = running().record(Kind.STOP_BEGUN, reason=Reason.USER).workstation

    assert stopping.deadline == NOW + POLICY.stop_patience


def test_a_stop_that_could_not_save_says_so() -> None:
    world = replace(running().later(MINUTE), reachable=False).stopped_by_user()
    assert world.workstation.state is State.STOPPING

    stopped = world.later(POLICY.stop_patience).converge().later(SETTLE).converge().workstation

    assert stopped.state is State.STOPPED
    assert stopped.unsaved_changes


def test_a_stop_that_saved_leaves_nothing_unsaved() -> None:
    stopped = running().later(MINUTE).stopped_by_user().later(SETTLE).converge().workstation

    assert stopped.state is State.STOPPED
    assert not stopped.unsaved_changes


# --- called off ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "cancelled"),
    [
        pytest.param(-MICROSECOND, False, id="activity before the stop does not cancel"),
        pytest.param(timedelta(0), False, id="activity as it began does not cancel"),
        pytest.param(MICROSECOND, True, id="activity a microsecond after cancels"),
    ],
)
@pytest.mark.parametrize("reason", sorted(UNHURRIED))
def test_activity_cancels_an_unhurried_stop(reason: Reason, after: timedelta, cancelled: bool) -> None:
    stopping = a_stopping(reason, last_activity=Activity(BEGUN + after, Source.TERMINAL))

    action = decide_on(stopping).action

    assert action == (Record(Kind.STOP_CANCELLED) if cancelled else Save(force=False))


@pytest.mark.parametrize("reason", FORCED)
def test_activity_does_not_cancel_a_forced_stop(reason: Reason) -> None:
    stopping = a_stopping(reason, last_activity=Activity(NOW, Source.TERMINAL))

    assert decide_on(stopping).action == Save(force=True)


def test_a_stop_that_has_scaled_down_is_not_cancelled_any_more() -> None:
    stopping = a_stopping(last_activity=Activity(NOW, Source.TERMINAL))
    off = a_service(stopping, Scaling.OFF, changed_at=NOW)

    assert decide_on(stopping, service=off).action is None


def test_a_busy_agent_refuses_an_unhurried_stop_and_that_cancels_it() -> None:
    """The process began between the decision and the question."""
    world = running().later(6 * MINUTE)
    begun = world.record(Kind.STOP_BEGUN, reason=Reason.STOP_TIMEOUT).with_busy(Busy.YES)

    kept = begun.later(MICROSECOND).converge()

    assert kept.workstation.state is State.RUNNING
    assert State.STOPPED not in kept.states


def test_a_wake_that_calls_a_stop_off_wakes_nothing_later() -> None:
    """The wish is fulfilled; the next stop stays a stop."""
    begun = running().later(6 * MINUTE).record(Kind.STOP_BEGUN, reason=Reason.STOP_TIMEOUT)

    kept = begun.later(MICROSECOND).woken()
    assert kept.workstation.state is State.RUNNING
    assert not kept.workstation.wake_pending

    stopped = kept.later(MINUTE).stopped_by_user().later(SETTLE).converge()
    assert stopped.workstation.state is State.STOPPED


def test_a_frozen_agent_in_a_running_workstation_is_resumed() -> None:
    """Whoever froze it and was lost on the way."""
    workstation = a_workstation(silent=2 * MINUTE)

    agent = an_agent(workstation, phase=Phase.QUIESCED)

    assert decide_on(workstation, agent=agent).action == Resume()


# --- gone ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off_for", "gone"),
    [
        pytest.param(SETTLE - MICROSECOND, False, id="not a microsecond before ten seconds"),
        pytest.param(SETTLE, True, id="after ten seconds"),
        pytest.param(SETTLE + MICROSECOND, True, id="later too"),
    ],
)
def test_stopped_is_recorded_once_no_instance_can_be_left(off_for: timedelta, gone: bool) -> None:
    stopping = a_stopping(saved_time=NOW)

    decision = decide_on(stopping, service=a_service(stopping, Scaling.OFF, changed_at=NOW - off_for))

    assert decision.action == (Record(Kind.STOPPED) if gone else None)
    assert gone or decision.due_at == NOW + timedelta(seconds=1)


def test_a_change_that_is_still_reconciled_has_stopped_nothing() -> None:
    stopping = a_stopping()

    decision = decide_on(stopping, service=a_service(stopping, Scaling.OFF, settled=False))

    assert decision.action is None


def test_a_service_that_is_gone_has_stopped() -> None:
    assert decide_on(a_stopping(saved_time=NOW), service=None).action == Record(Kind.STOPPED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({}, "Why. It had never been saved, so what was in it is lost.", id="never saved"),
        pytest.param(
            {"saved_time": NOW - HOUR},
            "Why. What changed after the save of 2026-03-10T11:00:00Z is lost.",
            id="saved long ago",
        ),
        pytest.param(
            {"boot_id": None, "unsaved_changes": True},
            "Why. It had never been saved, so what was in it is lost.",
            id="gone before it could be saved",
        ),
        pytest.param({"at_rest": True}, "", id="saved at rest"),
        pytest.param({"saved_time": NOW}, "", id="saved by the stop"),
        pytest.param({"boot_id": None}, "", id="never loaded"),
    ],
)
def test_what_a_stop_could_not_save_is_said(changes: dict[str, Any], message: str) -> None:
    stopping = a_stopping(message="Why.", **changes)

    action = decide_on(stopping, service=None).action

    assert isinstance(action, Record)
    assert action.message == message


@pytest.mark.parametrize("reason", [Reason.USER, Reason.DAILY_CAP, Reason.STOP_TIMEOUT])
def test_the_reason_of_the_stop_stays_readable(reason: Reason) -> None:
    world = running().later(MINUTE).record(Kind.STOP_BEGUN, reason=reason, message="Why.")

    stopped = world.converge().later(SETTLE).converge().workstation

    assert (stopped.state, stopped.reason, stopped.message) == (State.STOPPED, reason, "Why.")


# --- wanted again ----------------------------------------------------------------------------------------------


def test_a_wake_while_it_stops_by_force_wakes_it_as_soon_as_it_has_stopped() -> None:
    stopping = running().later(MINUTE).stopped_by_user().later(timedelta(seconds=1)).woken()
    assert stopping.workstation.state is State.STOPPING
    assert stopping.workstation.wake_pending

    woken = stopping.later(SETTLE).converge()

    assert woken.states[-3:] == (State.STOPPED, State.STARTING, State.RUNNING)
    assert not woken.workstation.wake_pending
    assert woken.workstation.epoch == 2
