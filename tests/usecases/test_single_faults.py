"""Every outside call of a whole life fails once, before or after its effect; the life ends as it would have."""

from datetime import timedelta

import pytest

from shared.domain.catalog import Wish
from shared.domain.errors import DormouseError
from shared.domain.events import broken_link
from shared.domain.states import State
from shared.usecases.provision import provision
from tests.usecases.conftest import ADA, World

METHODS = {
    "get": 19,
    "create": 1,
    "scale_up": 2,
    "scale_down": 1,
    "delete": 1,
    "look": 5,
    "load": 2,
    "quiesce": 2,
    "save": 2,
    "resume": 1,
    "upload_grant": 2,
    "download_grant": 1,
    "stat": 2,
    "sha256": 2,
    "list": 2,
}
"""How often the story below makes each call, at least; a call that it never makes is a hole in the test."""

CASES = [
    pytest.param(method, nth, when, id=f"{method}-{nth}-{when}")
    for method, count in METHODS.items()
    for nth in range(1, count + 1)
    for when in ("before", "after")
]


def story(world: World) -> None:
    """Provision, work, go idle, come back, stop, wake, work, delete; everybody tries again, as people and sweeps do."""
    wish = Wish(project="demo", name="main")
    id_ = provision(world.deps, world.asker(), wish).workstation
    _until(world, id_, State.RUNNING)
    world.inside(id_).write("a.txt", "1", world.clock.now())
    _until(world, id_, State.IDLE)
    world.touch(id_)
    _until(world, id_, State.RUNNING)
    world.stop(id_)
    _until(world, id_, State.STOPPED)
    world.wake(id_)
    _until(world, id_, State.RUNNING)
    assert world.inside(id_).files == {"a.txt": "1"}
    world.inside(id_).write("b.txt", "2", world.clock.now())
    world.delete(id_)
    _until(world, id_, State.DELETED)


def _until(world: World, id_: str, state: State) -> None:
    for _ in range(60):
        if world.get(id_).state is state:  # type: ignore[arg-type]
            return
        world.clock.advance(timedelta(seconds=20))
        world.sweep()
    raise AssertionError(f"never {state}: {world.get(id_)}")  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "nth", "when"), CASES)
def test_the_life_ends_as_it_would_have(method: str, nth: int, when: str) -> None:
    world = World()
    plan = world.faults.before if when == "before" else world.faults.after
    plan(method, nth=nth)

    try:
        story(world)
    except DormouseError as error:
        pytest.fail(f"{method} failed once and a user saw it: {error.message}")

    (id_,) = {
        row.workstation
        for row in world.records.ledger(ADA, world.clock.now() - timedelta(days=1), world.clock.now())
    }
    gone = world.get(id_)
    assert gone.interval is None
    assert world.records.user(ADA).value.reservations == {}
    assert list(world.services.all(gone.cell)) == []
    assert broken_link(list(world.records.events(id_, gone.uid))) is None
    total = sum(row.interval.amount for row in world.records.ledger(ADA, gone.create_time, world.clock.now()))
    assert total == sum(world.records.user(ADA).value.days.values())


def test_the_story_makes_every_call_as_often_as_it_is_failed() -> None:
    """Otherwise a case above would fail nothing and prove nothing."""
    world = World()
    story(world)

    assert {
        method: world.faults.count(method)
        for method in METHODS
        if world.faults.count(method) < METHODS[method]
    } == {}
