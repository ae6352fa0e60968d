"""Wishes that cross each other: the last one counts, each is answered, and a repeated call has its effect once."""

from datetime import timedelta

import pytest

from shared.domain.errors import NotFound, Unavailable
from shared.domain.names import WorkstationId
from shared.domain.operations import Operation
from shared.domain.states import State
from shared.usecases import delete, stop, wake
from tests.usecases.conftest import MINUTE, World


def outcome(world: World, operation: Operation) -> tuple[bool, str]:
    found = world.records.operation(operation.id)
    assert found is not None
    return found.done, found.error_code


def state_at_rest(world: World, id_: WorkstationId) -> State:
    world.settle(id_)
    world.pass_time(2 * MINUTE)
    return world.get(id_).state


def test_a_stop_after_a_wake_during_a_stop_leaves_it_stopped(world: World) -> None:
    id_ = world.provision()
    first, woken, last = world.stop(id_), world.wake(id_), world.stop(id_)

    assert state_at_rest(world, id_) is State.STOPPED
    assert (outcome(world, first), outcome(world, last)) == ((True, ""), (True, ""))
    assert outcome(world, woken) == (True, "ABORTED")


def test_a_wake_after_all_of_these_runs_it(world: World) -> None:
    id_ = world.provision()
    for wish in (world.stop, world.wake, world.stop):
        wish(id_)
    last = world.wake(id_)

    assert state_at_rest(world, id_) is State.RUNNING
    assert outcome(world, last) == (True, "")


def test_a_stop_calls_off_a_wake_that_no_worker_has_begun_yet(world: World) -> None:
    """A worker may die between the end of a stop and the start that was to follow it."""
    id_ = world.provision()
    world.stop(id_)
    woken = world.wake(id_)
    world.converge(id_)
    world.clock.advance(timedelta(seconds=15))
    world.faults.before("get", nth=2)
    with pytest.raises(Unavailable):
        world.converge(id_)
    assert (world.get(id_).state, world.get(id_).wake_pending) == (State.STOPPED, True)

    world.stop(id_)

    assert state_at_rest(world, id_) is State.STOPPED
    assert outcome(world, woken) == (True, "ABORTED")


def test_a_purge_during_a_delete_is_a_purge(world: World) -> None:
    id_ = world.provision()
    world.delete(id_)
    purging = world.delete(id_, purge=True)

    world.pass_time(2 * MINUTE)

    assert world.records.workstation(id_) is None
    assert outcome(world, purging) == (True, "")


def test_purging_a_tombstone_frees_its_name_at_once(world: World) -> None:
    id_ = world.provision()
    world.delete(id_)
    assert world.settle(id_).state is State.DELETED

    world.delete(id_, purge=True)

    assert world.records.workstation(id_) is None
    assert world.provision() == id_


def test_a_call_that_joined_has_no_second_effect_when_it_comes_again(world: World) -> None:
    """Its answer was lost; meanwhile its user has changed their mind."""
    id_ = world.provision()
    world.stop(id_)
    world.settle(id_)
    world.wake(id_)
    joined = wake.wake(world.deps, world.asker(request_id="w-1"), id_)
    world.settle(id_)
    world.stop(id_)

    again = wake.wake(world.deps, world.asker(request_id="w-1"), id_)

    assert again.id == joined.id
    assert state_at_rest(world, id_) is State.STOPPED


def test_the_same_call_twice_at_once_has_one_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one looks for the request before the first one has written it."""
    id_ = world.provision()
    first = stop.stop(world.deps, world.asker(request_id="s-1"), id_)
    known, looks = world.records.request, []

    def late(key: str) -> object:
        looks.append(key)
        return known(key) if len(looks) > 1 else None

    monkeypatch.setattr(world.records, "request", late)
    assert world.settle(id_).state is State.STOPPED

    second = stop.stop(world.deps, world.asker(request_id="s-1"), id_)

    assert second.id == first.id


def test_a_forced_end_does_not_wait_for_an_instance_that_has_nothing_to_save(world: World) -> None:
    """The platform took the loaded one away; the one that came instead is empty and refuses to be quiesced."""
    stopped, deleted = world.provision(name="stopped"), world.provision(name="deleted")
    for id_ in (stopped, deleted):
        world.agents.replace(world.get(id_).uri or "")

    world.stop(stopped)
    delete.delete(world.deps, world.asker(), deleted, purge=False)

    writes = world.get(stopped).event_seq
    assert world.settle(stopped).state is State.STOPPED
    assert world.get(stopped).unsaved_changes, "nobody saved what it held"
    assert world.get(stopped).event_seq == writes + 1
    assert world.settle(deleted).state is State.DELETED


def test_a_service_that_vanishes_while_it_is_scaled_is_looked_at_again(world: World) -> None:
    """A 404 of the Admin API's is about the service; the workstation is still there."""
    id_ = world.provision()
    world.stop(id_)
    world.faults.before("scale_down", error=NotFound("There is no such service.", "NOT_FOUND"))

    assert world.settle(id_).state is State.STOPPED
