"""Requests are counted once, whatever becomes of the answers, of the workstation and of its record in the meantime."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.memory.faults import faulty
from shared.domain.errors import OutcomeUnknown, Unavailable
from shared.domain.money import Micros
from shared.domain.names import Owner
from shared.domain.observed import Busy
from shared.domain.policy import Caps, Policy
from shared.domain.states import Reason, State
from shared.domain.usage import Tally, Usage
from shared.domain.workstation import Source, Workstation
from shared.usecases.count import count_requests
from shared.usecases.touch import keep_alive
from tests.usecases.conftest import ADA, MINUTE, World


def counts(world: World, life: Workstation, requests: int, id_: str = "t1") -> None:
    count_requests(world.deps, life, Tally(life.uid, id_, requests))


def in_the_ledger(world: World, owner: Owner = ADA) -> list[tuple[Usage, int]]:
    now = world.clock.now()
    rows = world.records.ledger(owner, now - timedelta(days=90), now + MINUTE)
    return [(row.interval.usage, row.interval.requests) for row in rows]


def open_requests(world: World, life: Workstation) -> int:
    interval = world.get(life.id).interval
    assert interval
    return interval.session_requests


def booked(world: World) -> int:
    return sum(world.records.user(ADA).value.days.values())


def stopped(world: World, life: Workstation) -> None:
    world.stop(life.id)
    assert world.settle(life.id).state is State.STOPPED


@pytest.fixture
def life(world: World) -> Workstation:
    return world.get(world.provision())


def test_several_gateways_add_up(world: World, life: Workstation) -> None:
    for number in range(5):
        counts(world, life, 10 + number, f"gateway-{number}")

    assert open_requests(world, life) == 60


def test_counting_is_no_activity(world: World, life: Workstation) -> None:
    """A probe is billed, and keeps nothing awake."""
    world.pass_time(4 * MINUTE)
    counts(world, life, 100)

    assert world.get(life.id).last_activity == life.last_activity
    world.pass_time(2 * MINUTE)
    assert world.get(life.id).state is State.IDLE
    counts(world, life, 3, "t2")
    assert world.get(life.id).state is State.IDLE
    assert open_requests(world, life) == 103


def test_a_touch_that_is_written_has_them_and_one_that_is_not_says_so(
    world: World, life: Workstation
) -> None:
    world.clock.advance(2 * MINUTE)
    first, second = (Tally(life.uid, name, 7) for name in ("t1", "t2"))

    assert keep_alive(world.deps, world.asker(), life.id, Source.REQUEST, first).tallies == ("t1",)
    assert keep_alive(world.deps, world.asker(), life.id, Source.REQUEST, second).tallies == ("t1",)
    assert open_requests(world, life) == 7


@pytest.mark.parametrize("again", [1, 2])
def test_a_lost_answer_does_not_count_twice(world: World, life: Workstation, again: int) -> None:
    world.deps = replace(world.deps, records=faulty(world.records, world.faults))
    world.faults.after("write")
    with pytest.raises(OutcomeUnknown):
        counts(world, life, 7)
    for _ in range(again):
        counts(world, life, 7)

    assert open_requests(world, life) == 7


def test_a_write_that_never_arrived_is_made_again(world: World, life: Workstation) -> None:
    world.deps = replace(world.deps, records=faulty(world.records, world.faults))
    world.faults.before("write")
    with pytest.raises(Unavailable):
        counts(world, life, 7)
    counts(world, life, 7)

    assert open_requests(world, life) == 7


def test_of_one_that_has_stopped_meanwhile_they_are_a_row_of_their_own(
    world: World, life: Workstation
) -> None:
    stopped(world, life)
    before = booked(world)
    for _ in range(2):
        counts(world, life, 101)

    assert in_the_ledger(world) == [(Usage.ACTIVE, 0), (Usage.REQUESTS, 101)]
    assert booked(world) - before == 41


@pytest.mark.parametrize("lost", ["before", "after"])
def test_of_one_that_is_awake_again_when_they_are_handed_in_again_they_count_once(
    world: World, life: Workstation, lost: str
) -> None:
    """The first try met a stopped one, and its answer was lost; what is open by now does not count them anew."""
    stopped(world, life)
    world.deps = replace(world.deps, records=faulty(world.records, world.faults))
    for method in ("write", "book"):
        getattr(world.faults, lost)(method)
    with pytest.raises(Unavailable):
        counts(world, life, 101)
    world.deps = replace(world.deps, records=world.records)
    world.wake(life.id)
    assert world.settle(life.id).state is State.RUNNING
    counts(world, life, 101)

    closed = sum(requests for _, requests in in_the_ledger(world))
    assert closed + open_requests(world, life) == 101


@pytest.mark.mission("COST-02")
def test_whoever_asks_after_midnight_does_not_pay_for_what_had_ended_before_it(
    world: World, life: Workstation
) -> None:
    """No sweep has seen that it is gone, and a tab goes on asking: it is metered until it was gone, not until then."""
    for number in range(3 * 24):
        world.clock.advance(60 * MINUTE)
        world.cleanup()
        counts(world, life, 10, f"t{number}")
    world.wake(life.id)
    world.pass_time(15 * MINUTE)
    stopped(world, life)

    hourly, hours = life.rate.active, 1.5
    assert sum(requests for _, requests in in_the_ledger(world)) >= 3 * 24 * 10
    assert booked(world) <= hours * hourly


def test_what_was_counted_just_before_the_end_and_is_handed_in_again_after_it_counts_once(
    world: World, life: Workstation
) -> None:
    counts(world, life, 101)
    stopped(world, life)
    counts(world, life, 101)

    assert in_the_ledger(world) == [(Usage.ACTIVE, 101)]


@pytest.mark.parametrize("again", [False, True])
def test_of_a_life_that_is_forgotten_they_are_its_own_and_no_later_ones(
    world: World, life: Workstation, again: bool
) -> None:
    """Purged, and its name perhaps taken by another life."""
    world.delete(life.id, purge=True)
    for _ in range(6):
        if world.records.workstation(life.id):
            world.converge(life.id)
        world.clock.advance(MINUTE / 6)
    assert world.records.workstation(life.id) is None
    if again:
        world.provision()
    counts(world, life, 101)

    assert (Usage.REQUESTS, 101) in in_the_ledger(world)
    if again:
        assert open_requests(world, life) == 0


def test_whoever_wakes_what_runs_again_and_again_pays_for_the_looks(world: World, life: Workstation) -> None:
    for _ in range(5):
        world.wake(life.id)

    assert open_requests(world, life) == 5


@pytest.mark.mission("COST-06", "COST-07")
def test_requests_alone_can_reach_a_cap_and_the_sweep_is_not_needed_to_stop_it() -> None:
    """The gateway that counted them does what follows."""
    world = World(policy=Policy(caps=Caps(daily=Micros(100_000), monthly=Micros(100_000))))
    life = world.get(world.provision())
    world.inside(life.id).write("kept", "1", world.clock.now())
    world.inside(life.id).busy = Busy.YES
    for minute in range(20):
        if world.get(life.id).state is not State.RUNNING:
            break
        counts(world, life, 12_000, f"t{minute}")
        world.clock.advance(MINUTE)
    world.settle(life.id)

    ended = world.get(life.id)
    assert (ended.state, ended.reason, ended.unsaved_changes) == (State.STOPPED, Reason.DAILY_CAP, False)
    assert 85_000 < booked(world) <= 100_000 + 4_800
