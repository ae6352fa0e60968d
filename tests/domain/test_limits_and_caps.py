"""What ends a life that nothing else ends: safety limit, unattended limit, caps; and how far running is paid ahead."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.actions import Action, Record, Renew, ScaleUp
from shared.domain.budget import Funds
from shared.domain.observed import Busy, Scaling
from shared.domain.policy import Policy, Priority
from shared.domain.states import Kind, Reason, State
from tests.domain.builders_workstation import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOW,
    a_service,
    a_spec,
    a_workstation,
    an_agent,
    decide_on,
)

CRITICAL = a_spec(Priority.CRITICAL)
NO_TIMEOUTS = Policy(auto_stop=False)


def the_stop(action: Action | None) -> Reason | None:
    """The reason of the stop that `action` begins; None where it begins none."""
    return action.reason if isinstance(action, Record) and action.kind is Kind.STOP_BEGUN else None


AROUND = [
    pytest.param(-MICROSECOND, False, id="a microsecond before it goes on"),
    pytest.param(timedelta(0), True, id="exactly then it stops"),
    pytest.param(MICROSECOND, True, id="a microsecond later it stops"),
]


@pytest.mark.mission("LIFE-07")
@pytest.mark.parametrize("state", [State.RUNNING, State.IDLE])
@pytest.mark.parametrize(("beyond", "stops"), AROUND)
def test_two_hours_of_silence_are_the_safety_limit(state: State, beyond: timedelta, stops: bool) -> None:
    """Where no timeout of a priority applies, and even where the agent cannot be reached."""
    workstation = a_workstation(state, silent=2 * HOUR + beyond)

    action = decide_on(workstation, agent=None, policy=NO_TIMEOUTS).action

    assert the_stop(action) is (Reason.SAFETY_LIMIT if stops else None)


@pytest.mark.mission("IDLE-01")
def test_the_safety_limit_leaves_critical_ones_alone() -> None:
    workstation = a_workstation(State.IDLE, silent=5 * HOUR, spec=CRITICAL, attended_time=NOW - 5 * HOUR)

    assert decide_on(workstation).action is None


def test_a_busy_job_of_five_hours_survives_the_safety_limit() -> None:
    workstation = a_workstation(silent=30 * timedelta(seconds=1), attended_time=NOW - 5 * HOUR)

    decision = decide_on(workstation, agent=an_agent(workstation, busy=Busy.YES))

    assert the_stop(decision.action) is None


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.IDLE])
@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.CRITICAL])
@pytest.mark.parametrize(("beyond", "stops"), AROUND)
def test_nothing_runs_unattended_for_more_than_twelve_hours(
    state: State, priority: Priority, beyond: timedelta, stops: bool
) -> None:
    """Busy or critical: somebody has to come by once in twelve hours."""
    workstation = a_workstation(state, spec=a_spec(priority), attended_time=NOW - 12 * HOUR - beyond)

    stop = the_stop(decide_on(workstation).action)

    assert stop is (Reason.SAFETY_LIMIT if stops else None)


@pytest.mark.mission("COST-06", "COST-07")
@pytest.mark.parametrize("cap", [Reason.DAILY_CAP, Reason.MONTHLY_CAP])
@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.IDLE])
@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.CRITICAL])
@pytest.mark.parametrize(("beyond", "stops"), AROUND)
def test_a_cap_stops_everything_one_sweep_before_the_money_ends(
    cap: Reason, state: State, priority: Priority, beyond: timedelta, stops: bool
) -> None:
    """Critical ones included: nothing outlives a cap."""
    workstation = a_workstation(state, spec=a_spec(priority))
    funds = Funds(until=NOW + MINUTE - beyond, reason=cap)

    stop = the_stop(decide_on(workstation, funds=funds, service=a_service(workstation)).action)

    assert stop is (cap if stops else None)


def test_a_cap_comes_before_the_unattended_limit_and_both_before_a_busy_process() -> None:
    """First match wins: the reason that the user reads is the money."""
    workstation = a_workstation(attended_time=NOW - 13 * HOUR)
    busy = an_agent(workstation, busy=Busy.YES)
    spent = Funds(until=NOW, reason=Reason.DAILY_CAP)

    assert the_stop(decide_on(workstation, agent=busy, funds=spent).action) is Reason.DAILY_CAP
    assert the_stop(decide_on(workstation, agent=busy).action) is Reason.SAFETY_LIMIT


# --- paying ahead ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "renews"),
    [
        pytest.param(10 * MINUTE + MICROSECOND, False, id="with more than half left it waits"),
        pytest.param(10 * MINUTE, True, id="with half left it renews"),
        pytest.param(10 * MINUTE - MICROSECOND, True, id="with less than half left it renews"),
        pytest.param(-2 * MINUTE, True, id="overdue but still running it renews"),
    ],
)
@pytest.mark.parametrize("state", [State.RUNNING, State.IDLE])
def test_a_reservation_is_renewed_when_half_of_it_is_left(
    state: State, left: timedelta, renews: bool
) -> None:
    workstation = a_workstation(state, not_after=NOW + left + MINUTE)

    action = decide_on(workstation).action

    assert action == (Renew(NOW + 20 * MINUTE) if renews else None)


def test_a_renewal_never_reaches_beyond_the_unattended_limit() -> None:
    workstation = a_workstation(attended_time=NOW - 12 * HOUR + 7 * MINUTE, not_after=NOW + 4 * MINUTE)

    assert decide_on(workstation).action == Renew(NOW + 7 * MINUTE)


@pytest.mark.parametrize(
    ("gain", "renews"),
    [
        pytest.param(MINUTE - MICROSECOND, False, id="less than a minute more is not worth a write"),
        pytest.param(MINUTE, True, id="a minute more is"),
    ],
)
def test_a_renewal_has_to_be_worth_a_write(gain: timedelta, renews: bool) -> None:
    workstation = a_workstation(not_after=NOW + 6 * MINUTE, warned_reason=Reason.DAILY_CAP)
    funds = Funds(until=NOW + 5 * MINUTE + gain, reason=Reason.DAILY_CAP)

    assert decide_on(workstation, funds=funds).action == (Renew(funds.until) if renews else None)


@pytest.mark.parametrize(
    "differs",
    [
        pytest.param({"not_after": NOW + MINUTE}, id="an older notAfter"),
        pytest.param({"epoch": 0}, id="an older epoch"),
    ],
)
def test_a_service_that_lags_behind_the_record_is_told_again(differs: dict[str, Any]) -> None:
    workstation = a_workstation()

    assert decide_on(workstation, service=a_service(workstation, **differs)).action == ScaleUp()


def test_a_service_in_a_scaling_of_nobodys_is_taken_for_stopped_from_outside() -> None:
    workstation = a_workstation()

    action = decide_on(workstation, service=a_service(workstation, Scaling.OTHER)).action

    assert the_stop(action) is Reason.OVERDUE


def test_a_high_priority_stop_at_the_safety_limit_is_still_an_ordinary_one() -> None:
    """120 min is both: the polite stop, which activity calls off, goes first; the safety limit is the backstop."""
    workstation = a_workstation(State.IDLE, silent=2 * HOUR, spec=a_spec(Priority.HIGH))

    assert the_stop(decide_on(workstation).action) is Reason.STOP_TIMEOUT
    unreachable = replace(a_workstation(silent=2 * HOUR), spec=a_spec(Priority.HIGH))
    assert the_stop(decide_on(unreachable, agent=None).action) is Reason.SAFETY_LIMIT
