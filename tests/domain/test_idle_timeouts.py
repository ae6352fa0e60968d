"""When silence makes a workstation IDLE and then STOPPED, to the microsecond, and what counts as silence."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.actions import Action, Hold, Record, Rest, Touch
from shared.domain.lifecycle import asks_agent
from shared.domain.observed import Busy
from shared.domain.policy import Policy, Priority, StopTimeouts
from shared.domain.states import Kind, Reason, State
from shared.domain.workstation import Activity, Source
from tests.domain.builders_workstation import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOW,
    POLICY,
    a_service,
    a_spec,
    a_workstation,
    an_agent,
    decide_on,
)

STOP_TIMEOUT = Record(Kind.STOP_BEGUN, Reason.STOP_TIMEOUT)
PATIENT = Policy(max_idle=24 * HOUR)
"""So patient with silence that only the timeouts of the priorities stop anything."""


@pytest.mark.mission("LIFE-04")
@pytest.mark.parametrize(
    ("silent", "action"),
    [
        pytest.param(5 * MINUTE - MICROSECOND, None, id="a microsecond before five minutes it keeps running"),
        pytest.param(5 * MINUTE, Rest(), id="at five minutes it rests"),
        pytest.param(5 * MINUTE + MICROSECOND, Rest(), id="a microsecond after five minutes it rests"),
    ],
)
def test_a_silent_running_workstation_rests_after_five_minutes(
    silent: timedelta, action: Action | None
) -> None:
    """RUNNING -> IDLE, counted from the last activity."""
    assert decide_on(a_workstation(silent=silent)).action == action


_TIMEOUTS = [
    pytest.param(Priority.HIGH, 120 * MINUTE, id="high after 120 min", marks=pytest.mark.mission("IDLE-02")),
    pytest.param(
        Priority.NORMAL,
        30 * MINUTE,
        id="normal after 30 min",
        marks=pytest.mark.mission("IDLE-03", "LIFE-05"),
    ),
    pytest.param(Priority.LOW, 10 * MINUTE, id="low after 10 min", marks=pytest.mark.mission("IDLE-04")),
]


@pytest.mark.parametrize(("priority", "timeout"), _TIMEOUTS)
@pytest.mark.parametrize(
    ("beyond", "action"),
    [
        pytest.param(-MICROSECOND, None, id="not a microsecond earlier"),
        pytest.param(timedelta(0), STOP_TIMEOUT, id="exactly then"),
        pytest.param(MICROSECOND, STOP_TIMEOUT, id="a microsecond later"),
    ],
)
def test_an_idle_workstation_stops_after_the_timeout_of_its_priority(
    priority: Priority, timeout: timedelta, beyond: timedelta, action: Action | None
) -> None:
    """IDLE -> STOPPING, counted from the last activity, with the default settings."""
    workstation = a_workstation(
        State.IDLE, silent=timeout + beyond, spec=a_spec(priority), attended_time=NOW - timeout - beyond
    )

    assert decide_on(workstation).action == action


@pytest.mark.mission("IDLE-01")
@pytest.mark.parametrize("silent", [pytest.param(each * HOUR, id=f"{each} hours") for each in (1, 3, 11)])
def test_a_critical_workstation_is_not_stopped_by_silence(silent: timedelta) -> None:
    workstation = a_workstation(State.IDLE, silent=silent, spec=a_spec(Priority.CRITICAL))

    assert decide_on(workstation).action is None


def test_a_critical_workstation_rests_like_any_other() -> None:
    workstation = a_workstation(silent=5 * MINUTE, spec=a_spec(Priority.CRITICAL))

    assert decide_on(workstation).action == Rest()


def test_a_critical_workstation_ignores_a_stop_timeout_of_its_own() -> None:
    spec = a_spec(Priority.CRITICAL, stop_timeout=MINUTE)

    assert decide_on(a_workstation(State.IDLE, silent=HOUR, spec=spec)).action is None


def test_with_automatic_stops_switched_off_only_the_safety_limit_stops() -> None:
    policy = Policy(auto_stop=False)

    silent = a_workstation(State.IDLE, silent=119 * MINUTE, warned_reason=Reason.SAFETY_LIMIT)
    assert decide_on(silent, policy=policy).action is None
    stopped = decide_on(a_workstation(State.IDLE, silent=120 * MINUTE), policy=policy).action
    assert isinstance(stopped, Record)
    assert stopped.reason is Reason.SAFETY_LIMIT


def test_the_operators_timeouts_replace_the_defaults() -> None:
    policy = Policy(stop_timeouts=StopTimeouts(normal=7 * MINUTE))

    assert decide_on(a_workstation(State.IDLE, silent=7 * MINUTE), policy=policy).action == STOP_TIMEOUT
    assert decide_on(a_workstation(State.IDLE, silent=7 * MINUTE - MICROSECOND), policy=policy).action is None


@pytest.mark.parametrize(
    ("beyond", "action"),
    [
        pytest.param(-MICROSECOND, None, id="not a microsecond earlier"),
        pytest.param(timedelta(0), Rest(), id="exactly then"),
        pytest.param(MICROSECOND, Rest(), id="a microsecond later"),
    ],
)
def test_an_idle_timeout_of_its_own_wins(beyond: timedelta, action: Action | None) -> None:
    workstation = a_workstation(silent=15 * MINUTE + beyond, spec=a_spec(idle_timeout=15 * MINUTE))

    assert decide_on(workstation).action == action


@pytest.mark.parametrize("own", [pytest.param(each * MINUTE, id=f"{each} min") for each in (7, 45)])
def test_a_stop_timeout_of_its_own_wins(own: timedelta) -> None:
    spec = a_spec(stop_timeout=own)

    assert decide_on(a_workstation(State.IDLE, silent=own - MICROSECOND, spec=spec)).action is None
    assert decide_on(a_workstation(State.IDLE, silent=own, spec=spec)).action == STOP_TIMEOUT


def test_a_running_workstation_whose_sweeps_were_lost_stops_without_resting_first() -> None:
    assert decide_on(a_workstation(silent=30 * MINUTE)).action == STOP_TIMEOUT


# --- what counts as silence ------------------------------------------------------------------------------------


def test_an_agent_that_cannot_be_reached_is_not_idle() -> None:
    """Silence in the record is not silence in the workstation."""
    workstation = a_workstation(silent=119 * MINUTE)

    decision = decide_on(workstation, agent=None)

    assert decision.action is None
    assert decision.due_at is not None
    assert decision.due_at <= NOW + MINUTE


@pytest.mark.parametrize("busy", [Busy.YES, Busy.UNKNOWN])
def test_a_process_that_is_or_may_be_busy_is_activity_now(busy: Busy) -> None:
    workstation = a_workstation(silent=30 * MINUTE, hold_until=NOW + HOUR)

    decision = decide_on(workstation, agent=an_agent(workstation, busy=busy, cause="python train.py"))

    assert decision.action == Touch(Activity(NOW, Source.PROCESS, "python train.py"), attended=False)


@pytest.mark.parametrize("busy", [Busy.YES, Busy.UNKNOWN])
def test_a_busy_workstation_is_not_stopped_by_a_timeout_shorter_than_the_touch_window(busy: Busy) -> None:
    """Between two touches the record lags behind; the agent's word of now counts all the same."""
    spec = a_spec(idle_timeout=timedelta(seconds=1), stop_timeout=timedelta(seconds=2))
    workstation = a_workstation(silent=timedelta(seconds=30), spec=spec, hold_until=NOW + HOUR)

    action = decide_on(workstation, agent=an_agent(workstation, busy=busy)).action

    assert action is None or isinstance(action, Touch)


@pytest.mark.parametrize(
    ("hold_until", "held"),
    [
        pytest.param(None, True, id="never held"),
        pytest.param(NOW, True, id="the hold ends now"),
        pytest.param(NOW + MICROSECOND, False, id="held for a microsecond more"),
    ],
)
@pytest.mark.parametrize("busy", [Busy.YES, Busy.UNKNOWN])
def test_work_without_a_client_is_held(busy: Busy, hold_until: datetime | None, held: bool) -> None:
    """Outside of a request an instance has no CPU to go on with: held first, written down as activity then."""
    workstation = a_workstation(
        silent=0 * MINUTE if hold_until == NOW + MICROSECOND else HOUR, hold_until=hold_until
    )

    action = decide_on(workstation, agent=an_agent(workstation, busy=busy)).action

    assert action == (Hold() if held else None)


def test_a_quiet_workstation_is_not_held() -> None:
    assert decide_on(a_workstation(silent=4 * MINUTE)).action is None


def test_activity_that_only_the_agent_saw_keeps_it_running() -> None:
    workstation = a_workstation(silent=6 * MINUTE)
    seen = Activity(NOW - 4 * MINUTE, Source.WEBSOCKET)

    assert decide_on(workstation, agent=an_agent(workstation, last_activity=seen)).action == Touch(
        seen, False
    )


@pytest.mark.mission("LIFE-09")
@pytest.mark.parametrize(
    ("newer", "written"),
    [
        pytest.param(MINUTE - MICROSECOND, False, id="a microsecond less than a minute newer is not written"),
        pytest.param(MINUTE, True, id="a minute newer is written"),
    ],
)
def test_activity_is_written_down_once_a_minute(newer: timedelta, written: bool) -> None:
    workstation = a_workstation(silent=2 * MINUTE)
    seen = Activity(workstation.last_activity.time + newer, Source.FILE)

    action = decide_on(workstation, agent=an_agent(workstation, last_activity=seen)).action

    assert action == (Touch(seen, False) if written else None)


def test_a_client_moves_the_attended_time_and_a_process_does_not() -> None:
    workstation = a_workstation(silent=2 * MINUTE)
    client = Activity(NOW - MINUTE, Source.TERMINAL)

    agent = an_agent(workstation, last_activity=client, last_client_activity=client)

    assert decide_on(workstation, agent=agent).action == Touch(client, attended=True)


@pytest.mark.parametrize("ahead", [timedelta(seconds=2), timedelta(days=2_900_000)])
def test_an_agent_whose_clock_runs_ahead_says_now_and_no_more(ahead: timedelta) -> None:
    """The tenant's word never reaches into the future: neither a crash nor an endless life comes of it."""
    workstation = a_workstation(silent=6 * MINUTE)
    future = Activity(NOW + ahead, Source.REQUEST)
    agent = an_agent(workstation, last_activity=future, last_client_activity=future)

    action = decide_on(workstation, agent=agent).action

    assert action == Touch(Activity(NOW, Source.REQUEST), attended=True)
    touched = replace(workstation, last_activity=action.activity, attended_time=action.activity.time)
    assert decide_on(touched, agent=agent).action is None


def test_client_activity_newer_than_all_activity_is_written_down_once() -> None:
    """An agent that contradicts itself cannot make the deciding endless."""
    workstation = a_workstation(silent=2 * MINUTE)
    client = Activity(NOW - MINUTE, Source.TERMINAL)
    agent = an_agent(workstation, last_client_activity=client)

    action = decide_on(workstation, agent=agent).action

    assert isinstance(action, Touch)
    touched = replace(workstation, last_activity=action.activity, attended_time=action.activity.time)
    assert decide_on(touched, agent=agent).action is None


# --- whom the sweep asks ---------------------------------------------------------------------------------------


def test_an_idle_workstation_is_never_woken_by_a_question() -> None:
    workstation = a_workstation(State.IDLE, silent=29 * MINUTE)

    assert not asks_agent(workstation, a_service(workstation), POLICY, NOW)


@pytest.mark.parametrize(
    ("silent", "asked"),
    [
        pytest.param(MINUTE - MICROSECOND, False, id="not while it was active within the minute"),
        pytest.param(MINUTE, True, id="once it was silent for a minute"),
    ],
)
def test_a_running_workstation_is_asked_once_it_may_be_silent(silent: timedelta, asked: bool) -> None:
    workstation = a_workstation(silent=silent)

    assert asks_agent(workstation, a_service(workstation), POLICY, NOW) is asked


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(a_spec(idle_timeout=timedelta(seconds=5)), id="its own idle timeout"),
        pytest.param(a_spec(stop_timeout=timedelta(seconds=5)), id="its own stop timeout"),
    ],
)
def test_it_is_asked_in_time_for_a_timeout_below_the_touch_window(spec: object) -> None:
    workstation = a_workstation(silent=timedelta(seconds=5), spec=spec)

    assert asks_agent(workstation, a_service(workstation), POLICY, NOW)


def test_a_service_of_an_older_epoch_is_not_asked() -> None:
    workstation = a_workstation(silent=HOUR)

    assert not asks_agent(workstation, a_service(workstation, epoch=0), POLICY, NOW)
