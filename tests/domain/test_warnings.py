"""Nobody is stopped unannounced: told 10 and 2 minutes before, with the time and the reason, once for each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.actions import Record
from shared.domain.budget import Funds
from shared.domain.states import Kind, Reason, State
from shared.domain.workstation import Workstation
from tests.domain.builders_workstation import HOUR, MICROSECOND, MINUTE, NOW, a_workstation, decide_on


def idle(silent: timedelta, warned: timedelta | None = None) -> Workstation:
    """IDLE and silent so long; `warned` so long ago."""
    warned_time = None if warned is None else NOW - warned
    return a_workstation(State.IDLE, silent=silent, warned_time=warned_time)


@pytest.mark.parametrize(
    ("silent", "warned", "tells"),
    [
        pytest.param(
            20 * MINUTE - MICROSECOND, None, False, id="more than ten minutes ahead nothing is said"
        ),
        pytest.param(20 * MINUTE, None, True, id="ten minutes ahead it is said"),
        pytest.param(24 * MINUTE, 4 * MINUTE, False, id="once"),
        pytest.param(28 * MINUTE - MICROSECOND, 7 * MINUTE, False, id="not yet again"),
        pytest.param(28 * MINUTE, 8 * MINUTE, True, id="two minutes ahead it is said again"),
        pytest.param(29 * MINUTE, MINUTE, False, id="and then no more"),
        pytest.param(29 * MINUTE, None, True, id="a sweep that comes late says it once for both"),
        pytest.param(21 * MINUTE, 3 * HOUR, True, id="a stop that activity moved away is announced anew"),
    ],
)
def test_a_stop_by_silence_is_announced(silent: timedelta, warned: timedelta | None, tells: bool) -> None:
    action = decide_on(idle(silent, warned)).action

    assert isinstance(action, Record) is tells
    if isinstance(action, Record):
        assert (action.kind, action.reason) == (Kind.WARNED, Reason.STOP_TIMEOUT)
        stop = NOW + 30 * MINUTE - silent
        assert f"{stop:%Y-%m-%dT%H:%M:%SZ}" in action.message


def test_a_cap_is_announced_with_its_name() -> None:
    funds = Funds(until=NOW + 8 * MINUTE, reason=Reason.DAILY_CAP)
    workstation = a_workstation(warned_time=NOW - MINUTE, warned_reason=Reason.STOP_TIMEOUT)

    action = decide_on(workstation, funds=funds).action

    assert isinstance(action, Record)
    assert (action.kind, action.reason) == (Kind.WARNED, Reason.DAILY_CAP)


def test_the_next_look_is_in_time_for_the_next_warning() -> None:
    due_at = decide_on(idle(6 * MINUTE)).due_at

    assert due_at == NOW + 10 * MINUTE, "first the reservation, renewed when half of it is left"
    later = decide_on(replace(idle(15 * MINUTE), not_after=NOW + 20 * MINUTE))
    assert later.due_at == NOW + 5 * MINUTE
