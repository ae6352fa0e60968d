"""A workstation's whole life through the use cases, with the service that follows its record."""

from datetime import timedelta

import pytest

from shared.domain.catalog import Wish
from shared.domain.errors import AlreadyExists, CapReached, FailedPrecondition, NotFound
from shared.domain.events import broken_link
from shared.domain.observed import Busy, Scaling
from shared.domain.operations import Verb
from shared.domain.states import Reason, State
from shared.domain.workstation import Source
from shared.usecases import asking
from shared.usecases.budgets import set_own_caps
from shared.usecases.provision import provision
from shared.usecases.replace_instance import replace_instance
from tests.usecases.conftest import ADA, BOB, MINUTE, ORIGIN, World


@pytest.mark.mission("LIFE-10", "LIFE-11", "LIFE-14")
def test_a_provision_ends_running_with_its_operation_done(world: World) -> None:
    id_ = world.provision()

    seen = world.get(id_)
    assert (seen.state, seen.operations) == (State.RUNNING, ())
    service = world.services.get(seen.cell, seen.service_name or "")
    assert service is not None
    assert (service.scaling, service.epoch, service.not_after) == (Scaling.ON, 1, seen.not_after)


@pytest.mark.mission("LIFE-04", "LIFE-05", "LIFE-15", "VOL-07")
def test_it_goes_idle_then_stops_and_wakes_with_its_files(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).write("app.py", "print('hi')", world.clock.now())

    world.pass_time(6 * MINUTE)
    assert world.get(id_).state is State.IDLE
    world.pass_time(26 * MINUTE)
    stopped = world.get(id_)
    assert (stopped.state, stopped.reason, stopped.unsaved_changes) == (
        State.STOPPED,
        Reason.STOP_TIMEOUT,
        False,
    )
    assert stopped.interval is None

    operation = world.wake(id_)
    assert world.settle(id_).state is State.RUNNING
    done = world.records.operation(operation.id)
    assert done is not None
    assert (done.verb, done.done, done.error_code) == (Verb.WAKE, True, "")
    assert world.inside(id_).files == {"app.py": "print('hi')"}


@pytest.mark.mission("LIFE-06", "WAKE-15")
def test_activity_brings_an_idle_one_back(world: World) -> None:
    id_ = world.provision()
    world.pass_time(6 * MINUTE)

    assert world.touch(id_).state is State.RUNNING
    world.pass_time(3 * MINUTE)
    assert world.get(id_).state is State.RUNNING


@pytest.mark.mission("LIFE-08")
def test_a_busy_process_keeps_it_running_and_is_named(world: World) -> None:
    id_ = world.provision()
    inside = world.inside(id_)
    inside.busy, inside.cause = Busy.YES, "python train.py"

    world.pass_time(timedelta(hours=5))

    seen = world.get(id_)
    assert seen.state is State.RUNNING
    assert (seen.last_activity.source, seen.last_activity.cause) == (Source.PROCESS, "python train.py")
    assert world.holds.begun, "without a client it needs a hold to have CPU at all"


def test_busy_work_without_anybody_ends_at_the_unattended_limit(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).busy = Busy.YES

    world.pass_time(timedelta(hours=12, minutes=5))

    assert (world.get(id_).state, world.get(id_).reason) == (State.STOPPED, Reason.SAFETY_LIMIT)


def test_an_agent_that_cannot_be_reached_is_not_idle(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).reachable = False

    world.pass_time(40 * MINUTE)

    assert world.get(id_).state is State.RUNNING


@pytest.mark.mission("LIFE-23", "WAKE-11")
def test_the_red_button_saves_then_stops(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).write("notes.txt", "kept", world.clock.now())

    world.stop(id_)
    stopped = world.settle(id_)

    assert (stopped.state, stopped.reason) == (State.STOPPED, Reason.USER)
    assert stopped.backup is not None
    assert not stopped.unsaved_changes


def test_a_stop_whose_agent_is_lost_goes_on_and_says_what_was_not_saved(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).write("notes.txt", "lost", world.clock.now())
    world.inside(id_).reachable = False

    world.stop(id_)
    world.pass_time(8 * MINUTE)

    assert (world.get(id_).state, world.get(id_).unsaved_changes) == (State.STOPPED, True)


def test_a_save_that_arrives_damaged_is_never_called_saved(world: World) -> None:
    """What the store holds is held against what the agent says."""
    id_ = world.provision()
    world.inside(id_).write("notes.txt", "precious", world.clock.now())
    upload = world.backups.upload
    damaged: list[str] = []

    def damaging(grant: object, content: bytes) -> None:
        upload(grant, content if damaged else content[:-1])  # type: ignore[arg-type]
        damaged.append("once")

    world.backups.upload = damaging  # type: ignore[method-assign]
    world.pass_time(8 * MINUTE)

    seen = world.get(id_)
    assert seen.backup is not None
    assert len(damaged) == 2
    world.stop(id_)
    world.settle(id_)
    world.wake(id_)
    world.settle(id_)
    assert world.inside(id_).files == {"notes.txt": "precious"}


def test_a_wake_during_a_stop_is_kept_and_follows_it(world: World) -> None:
    id_ = world.provision()
    world.stop(id_)

    operation = world.wake(id_)
    world.settle(id_)
    world.pass_time(2 * MINUTE)

    assert world.get(id_).state is State.RUNNING
    done = world.records.operation(operation.id)
    assert done is not None
    assert done.done
    assert done.error_code == ""


@pytest.mark.mission("LIFE-17")
def test_deleting_leaves_a_tombstone_and_no_service(world: World) -> None:
    id_ = world.provision()
    name = world.get(id_).service_name or ""

    world.delete(id_)
    gone = world.settle(id_)

    assert (gone.state, gone.service_name, gone.interval) == (State.DELETED, None, None)
    assert world.services.get(gone.cell, name) is None
    with pytest.raises(NotFound):
        asking.describe(world.deps, ADA, id_)
    with pytest.raises(AlreadyExists, match="undelete"):
        world.provision()


def test_a_second_life_meets_nothing_of_the_first(world: World) -> None:
    first = world.provision()
    first_uid, first_service = world.get(first).uid, world.get(first).service_name
    world.inside(first).write("secret.txt", "of the first life", world.clock.now())
    world.delete(first, purge=True)
    for _ in range(4):
        world.clock.advance(timedelta(seconds=20))
        world.sweep()
    assert world.records.workstation(first) is None

    second = world.provision()

    seen = world.get(second)
    assert second == first
    assert seen.uid != first_uid
    assert seen.service_name != first_service
    assert world.inside(second).files == {}
    assert [event.n for event in world.records.events(second, seen.uid)] == list(range(1, seen.event_seq + 1))
    assert all(
        row.interval.uid == first_uid
        for row in world.records.ledger(ADA, seen.create_time - MINUTE * 60, seen.create_time)
    )


def test_two_users_projects_of_one_name_never_meet(world: World) -> None:
    ada, bob = world.provision(ADA), world.provision(BOB)

    assert ada != bob
    assert world.get(ada).project_key != world.get(bob).project_key
    with pytest.raises(NotFound):
        world.wake(ada, owner=BOB)


def test_every_transition_has_an_event_and_the_chain_is_whole(world: World) -> None:
    id_ = world.provision()
    world.pass_time(40 * MINUTE)
    world.wake(id_)
    world.settle(id_)
    world.delete(id_)
    gone = world.settle(id_)

    events = list(world.records.events(id_, gone.uid))
    assert broken_link(events) is None
    assert len(events) == gone.event_seq
    assert {event.actor for event in events} == {"ada", "sweep", "test"}


def test_a_replaced_instance_is_noticed_and_loaded_before_it_serves(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).write("app.py", "v1", world.clock.now())
    world.stop(id_)
    world.settle(id_)
    world.wake(id_)
    world.settle(id_)

    world.agents.replace(world.get(id_).uri or "")
    world.pass_time(12 * MINUTE)

    seen = world.get(id_)
    assert seen.state is State.IDLE
    assert seen.epoch == 3
    assert seen.backup is not None
    assert world.inside(id_).files == {"app.py": "v1"}


def test_an_instance_that_is_lost_while_idle_takes_no_unsaved_work_with_it(world: World) -> None:
    idle, running = world.provision(name="idle"), world.provision(name="running")
    world.pass_time(6 * MINUTE)
    world.touch(running)
    assert (world.get(idle).state, world.get(running).state) == (State.IDLE, State.RUNNING)

    for id_ in (idle, running):
        world.agents.replace(world.get(id_).uri or "")
        replace_instance(world.deps, id_, ORIGIN)

    assert not world.get(idle).unsaved_changes
    assert world.get(running).unsaved_changes


def test_the_same_request_id_has_the_same_effect_once(world: World) -> None:
    first = provision(world.deps, world.asker(request_id="r-1"), Wish(project="demo", name="main"))
    again = provision(world.deps, world.asker(request_id="r-1"), Wish(project="demo", name="main"))

    assert again.id == first.id


def test_a_touch_of_what_sleeps_says_how_to_wake_it(world: World) -> None:
    id_ = world.provision()
    world.stop(id_)
    world.settle(id_)

    with pytest.raises(FailedPrecondition, match=":wake"):
        world.touch(id_)


def test_a_wake_without_money_is_refused_with_limit_and_reset_time(world: World) -> None:
    id_ = world.provision()
    world.stop(id_)
    world.settle(id_)
    set_own_caps(world.deps, ADA, daily=1000, monthly=None)  # type: ignore[arg-type]

    with pytest.raises(CapReached) as refused:
        world.wake(id_)

    assert refused.value.limit == 1000
    assert refused.value.reset_time is not None


def test_a_wake_of_a_running_one_notices_that_its_instance_is_new(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).write("app.py", "v1", world.clock.now())
    world.stop(id_)
    world.settle(id_)
    world.wake(id_)
    world.settle(id_)
    world.agents.replace(world.get(id_).uri or "")

    operation = world.wake(id_)

    assert world.settle(id_).state is State.RUNNING
    assert world.inside(id_).files == {"app.py": "v1"}
    done = world.records.operation(operation.id)
    assert done is not None
    assert done.done
