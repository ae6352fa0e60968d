"""A rate rises only with its reservation: what a stop of an IDLE one may do follows from what is left."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.actions import Record, Save, ScaleDown
from shared.domain.budget import User, can_rise
from shared.domain.money import Micros
from shared.domain.observed import Scaling
from shared.domain.policy import Caps
from shared.domain.states import Kind, Reason, State
from shared.domain.usage import Usage
from tests.domain.builders_budget import committed
from tests.domain.builders_workstation import ID, MINUTE, NOW, POLICY, a_service, decide_on
from tests.domain.model_world import World, a_new_world


def idle(cap: int = POLICY.caps.daily) -> World:
    """One that came to rest after a minute, of a user with that cap a day."""
    policy = replace(POLICY, caps=Caps(daily=Micros(cap), monthly=Micros(cap)))
    return (
        a_new_world(NOW, policy).converge().later(MINUTE).record(Kind.SAVED).record(Kind.IDLED).later(MINUTE)
    )


def barely() -> int:
    """A cap at which it could begin, and that its idle reservation all but reaches."""
    days, _ = committed(idle().user)
    return max(days.values()) + 100


def poor() -> World:
    """Its cap was lowered to what is spent and reserved."""
    world, cap = idle(), Micros(barely())
    return replace(world, policy=replace(POLICY, caps=Caps(daily=cap, monthly=cap)))


@pytest.mark.parametrize("kind", [Kind.STOP_BEGUN, Kind.DELETE_BEGUN])
def test_with_room_an_idle_one_is_let_loose_to_be_saved_once_more(kind: Kind) -> None:
    world = idle().record(kind, reason=Reason.USER)
    stopping, held = world.workstation, world.user.reservations[ID]

    assert stopping.interval is not None
    assert (stopping.interval.usage, held.rate) == (Usage.ACTIVE, stopping.rate.active)
    later = replace(stopping, state_time=stopping.state_time + MINUTE)
    assert decide_on(later, now=world.now).action == Save(force=True)


@pytest.mark.parametrize("kind", [Kind.STOP_BEGUN, Kind.DELETE_BEGUN])
def test_without_room_it_keeps_its_rate_and_is_not_asked(kind: Kind) -> None:
    before = poor()
    world = before.record(kind, reason=Reason.USER)
    stopping = world.workstation

    assert stopping.interval is not None
    assert stopping.interval.usage is Usage.IDLE
    assert max(committed(world.user)[0].values()) <= max(committed(before.user)[0].values())
    later = replace(stopping, state_time=stopping.state_time + MINUTE)
    assert decide_on(later, now=world.now).action != Save(force=True)


def test_a_stop_that_is_not_paid_for_to_be_called_off_goes_on() -> None:
    """Whoever comes back is woken after it, if money allows."""
    world = poor().record(Kind.STOP_BEGUN, reason=Reason.STOP_TIMEOUT).later(MINUTE)._touch_by_user()

    assert decide_on(world.workstation, now=world.now).action == ScaleDown()


def test_a_broken_idle_one_costs_what_it_did() -> None:
    world = idle().record(Kind.FAILED, reason=Reason.CRASH)

    assert world.workstation.interval is not None
    assert world.workstation.interval.usage is Usage.IDLE
    assert not world.workstation.unsaved_changes


def test_a_replaced_idle_one_reaches_as_far_as_was_admitted() -> None:
    world = idle().later(5 * MINUTE)
    admitted = world._admission()
    after = world.record(Kind.REPLACED, reservation=admitted)

    assert after.user.reservations[ID].until == admitted.until
    assert after.workstation.not_after == admitted.until + POLICY.reserves.save_time
    assert after.workstation.interval is not None
    assert after.workstation.interval.usage is Usage.ACTIVE
    assert not after.workstation.unsaved_changes


@pytest.mark.parametrize("ended", [timedelta(0), MINUTE])
def test_beyond_a_reservation_there_is_nothing_left_to_raise(ended: timedelta) -> None:
    """The time to save after it was reserved at the active rate from the beginning."""
    world, cap = idle(), Micros(1)
    held = world.user.reservations[ID]
    rate = world.workstation.rate.active

    assert can_rise(world.user, Caps(daily=cap, monthly=cap), ID, rate, held.until + ended)
    assert not can_rise(world.user, Caps(daily=cap, monthly=cap), ID, rate, held.until - MINUTE)
    assert not can_rise(User(owner=world.user.owner), POLICY.caps, ID, rate, world.now)


def test_at_rest_lasts_until_it_is_let_loose() -> None:
    world = idle()
    assert world.workstation.at_rest
    stopping = world.record(Kind.STOP_BEGUN, reason=Reason.STOP_TIMEOUT)
    assert stopping.workstation.at_rest
    assert not stopping.record(Kind.STOP_CANCELLED).workstation.at_rest
    assert not world.record(Kind.RESUMED, reservation=world._admission()).workstation.at_rest
    gone = a_service(stopping.workstation, Scaling.OFF)
    assert decide_on(stopping.workstation, service=gone).action == Record(Kind.STOPPED)
    assert stopping.workstation.state is State.STOPPING
