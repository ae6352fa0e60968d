"""An ERROR costs nothing, is retried after 1, 2, 4 ... 30 minutes, then waits for the user."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.actions import Admit, Record, ScaleDown
from shared.domain.observed import SETTLE, Scaling
from shared.domain.policy import Backoff
from shared.domain.states import Kind, Reason, State
from shared.domain.usage import Usage
from tests.domain.builders_workstation import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOW,
    POLICY,
    a_service,
    a_workstation,
    decide_on,
)
from tests.domain.model_world import World, a_new_world

AN_ERROR = a_workstation(State.ERROR, not_after=None)
OFF = a_service(AN_ERROR, Scaling.OFF)


def crashed(world: World) -> World:
    return world.record(Kind.FAILED, reason=Reason.CRASH)


@pytest.mark.mission("LIFE-25")
@pytest.mark.parametrize(
    ("failures", "minutes"),
    [
        pytest.param(failures, minutes, id=f"after failure {failures}: {minutes} min")
        for failures, minutes in enumerate((1, 2, 4, 8, 16, 30, 30), start=1)
    ],
)
def test_the_back_off_doubles_up_to_half_an_hour(failures: int, minutes: int) -> None:
    assert Backoff(attempts=9).delay(failures) == minutes * MINUTE


@pytest.mark.mission("LIFE-25")
def test_five_retries_then_it_is_the_users_turn() -> None:
    """Failing at every start: STARTING, ERROR, and again, with the waits of the back-off between."""
    world = crashed(a_new_world(NOW, POLICY).converge())
    waits = []
    while world.workstation.retry_at:
        waits.append((world.workstation.retry_at - world.now) // MINUTE)
        settled = world.converge().later(SETTLE).converge()
        due = replace(settled, now=world.workstation.retry_at)
        world = crashed(due.enact(Admit(Kind.RETRIED)))

    assert waits == [1, 2, 4, 8, 16]
    waiting = world.converge().later(SETTLE).converge()
    assert waiting.workstation.due_at is None
    assert waiting.later(100 * HOUR).decision().action is None


@pytest.mark.parametrize(
    ("left", "action"),
    [
        pytest.param(MICROSECOND, None, id="not a microsecond early"),
        pytest.param(timedelta(0), Admit(Kind.RETRIED), id="exactly then"),
        pytest.param(-MICROSECOND, Admit(Kind.RETRIED), id="or later"),
    ],
)
def test_it_is_retried_when_its_time_has_come(left: timedelta, action: object) -> None:
    error = replace(AN_ERROR, retry_at=NOW + left)

    assert decide_on(error, service=OFF).action == action


def test_a_retry_without_a_service_makes_a_fresh_one() -> None:
    error = replace(AN_ERROR, retry_at=NOW)

    assert decide_on(error, service=None).action == Admit(Kind.RETRIED, fresh_service=True)


@pytest.mark.parametrize(
    ("healthy", "failures"),
    [
        pytest.param(HOUR - MICROSECOND, 4, id="a microsecond less than an hour is not forgiven"),
        pytest.param(HOUR, 1, id="an hour is"),
        pytest.param(HOUR + MICROSECOND, 1, id="and more is"),
    ],
)
@pytest.mark.parametrize("state", [State.RUNNING, State.IDLE])
def test_a_healthy_hour_forgives_the_failures_before(state: State, healthy: timedelta, failures: int) -> None:
    world = a_new_world(NOW, POLICY).converge()
    worn = replace(world.workstation, failures=3, state=state, state_time=NOW)

    failed = crashed(replace(world, workstation=worn).later(healthy)).workstation

    assert failed.failures == failures


def test_a_users_own_wake_forgives_at_once() -> None:
    error = crashed(a_new_world(NOW, POLICY).converge()).converge().later(SETTLE).converge()
    assert error.workstation.failures == 1

    woken = error.woken().workstation

    assert (woken.state, woken.failures, woken.retry_at) == (State.RUNNING, 0, None)


def test_a_retry_does_not_forgive() -> None:
    error = crashed(a_new_world(NOW, POLICY).converge()).converge().later(MINUTE).converge()

    assert (error.workstation.state, error.workstation.failures) == (State.RUNNING, 1)


# --- costs nothing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", [Scaling.ON, Scaling.OTHER])
def test_an_error_is_scaled_down_first(scaling: Scaling) -> None:
    error = replace(AN_ERROR, retry_at=NOW)

    assert decide_on(error, service=a_service(error, scaling)).action == ScaleDown()


def test_it_is_metered_until_it_was_seen_gone_and_released_then() -> None:
    world = crashed(a_new_world(NOW, POLICY).converge()).converge()
    assert world.workstation.interval
    assert world.workstation.interval.usage is Usage.ACTIVE

    released = world.later(SETTLE).converge()

    assert Kind.RELEASED in [event.kind for event in released.events]
    assert released.workstation.interval is None
    assert released.user.reservations == {}


def test_an_instance_that_may_still_be_there_is_not_released() -> None:
    interval = a_workstation().interval
    error = replace(AN_ERROR, interval=interval)
    fresh = a_service(error, Scaling.OFF, changed_at=NOW - SETTLE + MICROSECOND)

    assert decide_on(error, service=fresh).action is None
    assert decide_on(error, service=OFF).action == Record(Kind.RELEASED)
