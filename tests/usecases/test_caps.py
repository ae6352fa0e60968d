"""No user passes a cap, whatever runs at once and whoever is dead."""

from contextlib import suppress
from datetime import timedelta

import pytest

from shared.domain.errors import CapReached, Unavailable
from shared.domain.money import Micros
from shared.domain.names import WorkstationId
from shared.domain.observed import Busy, Scaling
from shared.domain.policy import Caps, Policy
from shared.domain.rates import Card
from shared.domain.states import Reason, State
from shared.usecases.budgets import set_own_caps
from tests.usecases.conftest import ADA, MINUTE, World

CENT = 10_000


def spent(world: World) -> int:
    """Everything booked, in the totals."""
    return sum(world.records.user(ADA).value.days.values())


def ledger(world: World) -> int:
    start = world.clock.now() - timedelta(days=90)
    return sum(row.interval.amount for row in world.records.ledger(ADA, start, world.clock.now() + MINUTE))


@pytest.mark.mission("COST-06")
def test_at_the_daily_cap_it_is_saved_and_stopped_with_the_reason_shown() -> None:
    world = World(policy=Policy(caps=Caps(daily=Micros(10 * CENT), monthly=Micros(1000 * CENT))))
    id_ = world.provision()
    world.inside(id_).busy = Busy.YES
    world.inside(id_).write("result.csv", "1", world.clock.now())

    world.pass_time(timedelta(hours=2))

    stopped = world.get(id_)
    assert (stopped.state, stopped.reason) == (State.STOPPED, Reason.DAILY_CAP)
    assert stopped.backup is not None
    assert not stopped.unsaved_changes
    assert 8 * CENT < spent(world) <= 10 * CENT
    assert spent(world) == ledger(world)


@pytest.mark.mission("COST-07")
def test_the_monthly_cap_holds_over_days() -> None:
    world = World(policy=Policy(caps=Caps(daily=Micros(100 * CENT), monthly=Micros(150 * CENT))))
    id_ = world.provision()
    world.inside(id_).busy = Busy.YES
    world.inside(id_).last_client_activity = None

    for _ in range(48):
        world.pass_time(timedelta(minutes=30))
        if world.get(id_).state is State.STOPPED:
            _wake_if_admitted(world, id_)

    assert sum(world.records.user(ADA).value.months.values()) <= 150 * CENT
    assert spent(world) == ledger(world)


def _wake_if_admitted(world: World, id_: WorkstationId) -> None:
    with suppress(CapReached):
        world.wake(id_)
        world.settle(id_)
        world.inside(id_).busy = Busy.YES


def test_many_workstations_share_one_cap() -> None:
    world = World(policy=Policy(caps=Caps(daily=Micros(30 * CENT), monthly=Micros(1000 * CENT))))
    ids = [world.provision(name=f"w{n}") for n in range(4)]
    for id_ in ids:
        world.inside(id_).busy = Busy.YES

    world.pass_time(timedelta(hours=4))

    assert {world.get(id_).state for id_ in ids} == {State.STOPPED}
    assert spent(world) <= 30 * CENT
    assert spent(world) == ledger(world)


def test_with_the_sweep_dead_cleanup_stops_what_is_overdue_before_the_cap() -> None:
    """`notAfter` on the service ends at the reservation, so nothing else has to be alive."""
    world = World(policy=Policy(caps=Caps(daily=Micros(10 * CENT), monthly=Micros(1000 * CENT))))
    id_ = world.provision()
    world.inside(id_).busy = Busy.YES

    for _ in range(30):
        world.clock.advance(5 * MINUTE)
        world.cleanup()

    seen = world.get(id_)
    service = world.services.get(seen.cell, seen.service_name or "")
    assert service is not None
    assert service.scaling is Scaling.OFF
    world.sweep()
    world.pass_time(3 * MINUTE)
    assert (world.get(id_).state, world.get(id_).reason) == (State.STOPPED, Reason.OVERDUE)
    assert spent(world) <= 10 * CENT


def test_with_firestore_dead_too_cleanup_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    id_ = world.provision()
    seen = world.get(id_)

    def dead(*_args: object, **_more: object) -> None:
        raise Unavailable("The database is gone.")

    for name in ("workstation", "user", "write", "due_workstations", "due_users"):
        monkeypatch.setattr(world.records, name, dead)
    world.clock.advance(timedelta(minutes=30))
    report = world.cleanup()

    assert report.stopped == [seen.service_name]
    service = world.services.get(seen.cell, seen.service_name or "")
    assert service is not None
    assert service.scaling is Scaling.OFF


def test_a_lowered_cap_stops_what_runs_at_the_next_sweep(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).busy = Busy.YES
    world.pass_time(3 * MINUTE)

    set_own_caps(world.deps, ADA, daily=Micros(100), monthly=None)
    world.pass_time(3 * MINUTE)

    assert (world.get(id_).state, world.get(id_).reason) == (State.STOPPED, Reason.DAILY_CAP)


@pytest.mark.mission("COST-04")
def test_a_day_of_work_and_sleep_costs_22_cents_on_the_flat_card() -> None:
    """4 h RUNNING, 2 h IDLE, 18 h STOPPED, against $1.20 always on; through the sweep, with a priority that stays."""
    world = World(card=Card.FLAT, policy=Policy(idle_after=timedelta(minutes=1)))
    id_ = world.provision(priority="high")
    inside = world.inside(id_)
    start = world.get(id_).state_time
    inside.busy = Busy.YES
    world.pass_time(start + timedelta(hours=4) - world.clock.now())
    inside.busy = Busy.NO
    running = spent(world)
    world.pass_time(timedelta(hours=20))

    assert world.get(id_).state is State.STOPPED
    assert running == 0, "the interval is still open: nothing is booked before a rate changes"
    assert spent(world) == ledger(world)
    assert abs(spent(world) - 220_000) <= 2_000, "within the minute that each end of a state may take"
