"""Whatever has been going on: when everything but the cleanup dies, nobody's spend passes the cap by more than 2 %."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.errors import CapReached, DormouseError
from shared.domain.money import Micros
from shared.domain.names import WorkstationId
from shared.domain.policy import Caps, Policy
from shared.domain.states import State
from shared.domain.usage import Tally, day_key, month_key
from shared.ports import Stored
from shared.usecases.count import count_requests
from shared.usecases.replace_instance import replace_instance
from tests.domain.builders_budget import committed
from tests.usecases.conftest import ADA, MINUTE, ORIGIN, World

CAP = 5_000_000
BOUND = CAP + CAP // 50
REQUESTS = 3_000
CLEANUP_EVERY = 5 * MINUTE
NAMES = [f"w{number}" for number in range(6)]


def a_world(room: int) -> World:
    """One day's cap, of which so much is left."""
    world = World(policy=Policy(caps=Caps(daily=Micros(CAP), monthly=Micros(CAP))))
    stored, now = world.records.user(ADA), world.clock.now()
    spent = Micros(CAP - room)
    user = replace(stored.value, days={day_key(now): spent}, months={month_key(now): spent})
    world.records.save_user(Stored(user, stored.version))
    return world


def spent(world: World) -> int:
    return sum(world.records.user(ADA).value.days.values())


def all_of(world: World) -> list[WorkstationId]:
    found = world.records.workstations_of(ADA, project=None, limit=100, after=None).items
    return [workstation.id for workstation in found]


def everything_dies(world: World) -> None:
    """Until nothing runs any more; then the sweep comes back and closes the books."""
    for _ in range(24):
        world.clock.advance(CLEANUP_EVERY)
        world.cleanup()
    world.pass_time(15 * MINUTE)
    assert {world.get(id_).interval for id_ in all_of(world)} <= {None}


def provision(world: World, name: str) -> None:
    world.provision(name=name)


def per_workstation(act: Callable[[World, WorkstationId], object]) -> Callable[[World, str], None]:
    def step(world: World, name: str) -> None:
        for id_ in all_of(world):
            if world.get(id_).name == name:
                act(world, id_)

    return step


def lose(world: World, id_: WorkstationId) -> None:
    if world.services.run_at(world.get(id_).uri or ""):
        world.agents.replace(world.get(id_).uri or "")


def ask_often(world: World, id_: WorkstationId) -> None:
    """A window's requests through the gateway, which writes them down late or early, and twice."""
    life = world.get(id_)
    tally = Tally(life.uid, f"t{world.clock.now()}", REQUESTS)
    for _ in range(2):
        count_requests(world.deps, life, tally)


STEPS = {
    "provision": provision,
    "touch": per_workstation(lambda world, id_: world.touch(id_)),
    "wake": per_workstation(lambda world, id_: world.wake(id_)),
    "stop": per_workstation(lambda world, id_: world.stop(id_)),
    "delete": per_workstation(lambda world, id_: world.delete(id_)),
    "lose": per_workstation(lose),
    "replace": per_workstation(lambda world, id_: replace_instance(world.deps, id_, ORIGIN)),
    "ask often": per_workstation(ask_often),
    "converge": per_workstation(lambda world, id_: world.converge(id_)),
}


@pytest.mark.mission("COST-06", "COST-07")
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(20_000, 200_000),
    st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from(NAMES), st.integers(0, 8)), max_size=30
    ),
)
def test_no_history_ends_above_the_cap(room: int, history: list[tuple[str, str, int]]) -> None:
    """And on the way there no more is spent and reserved than there is: no rate rises before it is paid for."""
    world = a_world(room)
    for verb, name, minutes in history:
        with suppress(DormouseError):
            STEPS[verb](world, name)
        days, months = committed(world.records.user(ADA).value)
        assert max(days.values()) <= BOUND
        assert max(months.values()) <= BOUND
        world.pass_time(minutes * MINUTE)

    everything_dies(world)

    assert spent(world) <= BOUND


def test_many_idle_ones_that_are_stopped_at_once_are_paid_for_at_the_rate_that_they_have() -> None:
    """Each was reserved at its idle rate; to be let loose for another save they would all cost the active one."""
    world = a_world(70_000)
    for name in NAMES:
        with suppress(CapReached):
            world.provision(name=name)
            world.pass_time(6 * MINUTE)
    resting = [id_ for id_ in all_of(world) if world.get(id_).state is State.IDLE]
    assert len(resting) >= 3
    for id_ in resting:
        world.stop(id_)
    days, _ = committed(world.records.user(ADA).value)
    assert max(days.values()) <= CAP

    everything_dies(world)

    assert spent(world) <= BOUND
    assert {world.get(id_).unsaved_changes for id_ in resting} == {False}
