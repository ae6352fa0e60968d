"""Each window in which the platform may take an instance away, by its name: what is lost, and what is said of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.errors import CapReached, OtherInstance
from shared.domain.names import WorkstationId
from shared.domain.observed import Phase, Scaling
from shared.domain.states import Kind, Reason, State
from shared.domain.usage import Usage
from shared.usecases.budgets import set_own_caps
from shared.usecases.replace_instance import replace_instance
from tests.usecases.conftest import ADA, MINUTE, ORIGIN, World
from tests.usecases.fate import Fate


def messages(world: World, id_: WorkstationId, kind: Kind) -> list[str]:
    events = world.records.events(id_, world.get(id_).uid)
    return [event.message for event in events if event.kind is kind]


def saved_and_running(world: World) -> WorkstationId:
    id_ = world.provision()
    world.inside(id_).write("kept", "1", world.clock.now())
    world.stop(id_)
    world.settle(id_)
    world.wake(id_)
    world.settle(id_)
    return id_


def idle(world: World) -> WorkstationId:
    id_ = world.provision()
    world.inside(id_).write("kept", "1", world.clock.now())
    world.pass_time(6 * MINUTE)
    assert world.get(id_).state is State.IDLE
    return id_


def lose(world: World, id_: WorkstationId) -> None:
    world.agents.replace(world.get(id_).uri or "")


def test_one_that_went_while_idle_is_loaded_when_somebody_comes_and_nothing_is_lost(world: World) -> None:
    id_ = idle(world)
    lose(world, id_)

    operation = world.wake(id_)
    assert world.get(id_).state is State.STARTING
    assert world.settle(id_).state is State.RUNNING

    assert world.inside(id_).files == {"kept": "1"}
    assert not world.get(id_).unsaved_changes
    assert messages(world, id_, Kind.REPLACED) == [
        "The platform replaced its instance. Nothing is lost: it had been saved."
    ]
    done = world.records.operation(operation.id)
    assert done is not None
    assert (done.done, done.error_code) == (True, "")


def test_one_that_goes_while_running_says_what_is_lost(world: World) -> None:
    id_ = saved_and_running(world)
    saved = world.get(id_).saved_time
    assert saved is not None
    world.inside(id_).write("new", "2", world.clock.now())
    lose(world, id_)
    replace_instance(world.deps, id_, ORIGIN)
    world.settle(id_)

    assert world.inside(id_).files == {"kept": "1"}
    assert world.get(id_).unsaved_changes
    assert messages(world, id_, Kind.REPLACED) == [
        "The platform replaced its instance. "
        f"What changed after the save of {saved:%Y-%m-%dT%H:%M:%SZ} is lost."
    ]


def test_an_unhurried_stop_of_an_idle_one_that_went_is_no_reason_to_start_it(world: World) -> None:
    """The empty one has nothing to save; that it refuses is nobody's activity."""
    id_ = idle(world)
    lose(world, id_)

    world.pass_time(27 * MINUTE)

    stopped = world.get(id_)
    assert (stopped.state, stopped.reason, stopped.unsaved_changes) == (
        State.STOPPED,
        Reason.STOP_TIMEOUT,
        False,
    )
    assert messages(world, id_, Kind.STOP_CANCELLED) == []


def test_a_stop_whose_instance_goes_between_quiesce_and_save_goes_on_and_says_so(world: World) -> None:
    id_ = saved_and_running(world)
    world.inside(id_).write("new", "2", world.clock.now())
    fate = Fate(world)
    world.deps = replace(world.deps, agents=fate.wrap(world.deps.agents))
    world.stop(id_)
    fate.at, fate.after = 0, True
    assert world.settle(id_).state is State.STOPPED

    assert fate.calls == ["quiesce", "save"]
    assert world.get(id_).unsaved_changes
    assert "is lost" in messages(world, id_, Kind.STOPPED)[-1]


def test_a_stop_whose_instance_goes_between_save_and_scaling_has_lost_nothing(world: World) -> None:
    id_ = saved_and_running(world)
    world.inside(id_).write("new", "2", world.clock.now())
    fate = Fate(world)
    world.deps = replace(world.deps, agents=fate.wrap(world.deps.agents))
    world.stop(id_)
    fate.at, fate.after = 1, True
    stopped = world.settle(id_)

    assert (stopped.state, stopped.unsaved_changes) == (State.STOPPED, False)
    world.wake(id_)
    world.settle(id_)
    assert world.inside(id_).files == {"kept": "1", "new": "2"}


def test_a_rest_whose_instance_goes_before_its_save_is_loaded_anew_instead(world: World) -> None:
    id_ = saved_and_running(world)
    world.inside(id_).write("new", "2", world.clock.now())
    world.clock.advance(6 * MINUTE)
    fate = Fate(world)
    world.deps = replace(world.deps, agents=fate.wrap(world.deps.agents))
    fate.at, fate.after = 1, True  # after the look comes the quiesce
    world.sweep()

    assert fate.calls[:3] == ["look", "quiesce", "save"]
    assert messages(world, id_, Kind.REPLACED) != []
    assert world.settle(id_).state in (State.RUNNING, State.IDLE)
    assert world.get(id_).unsaved_changes is (world.get(id_).state is State.RUNNING)
    assert world.inside(id_).files == {"kept": "1"}


def test_a_load_that_comes_late_never_fills_a_later_instance(world: World) -> None:
    """It was meant for one that is gone; the save that it carries is not the newest any more."""
    id_ = saved_and_running(world)
    world.stop(id_)
    world.settle(id_)
    world.wake(id_)
    late: list[Callable[[], None]] = []
    load = world.deps.agents.load

    def slow(*args: Any) -> None:
        late.append(lambda: load(*args))
        load(*args)

    world.deps = replace(world.deps, agents=_With(world.deps.agents, load=slow))
    world.settle(id_)
    world.inside(id_).write("new", "2", world.clock.now())
    world.pass_time(6 * MINUTE)
    assert world.get(id_).state is State.IDLE
    lose(world, id_)

    with pytest.raises(OtherInstance):
        late[0]()

    assert world.inside(id_).phase is Phase.EMPTY
    world.wake(id_)
    world.settle(id_)
    assert world.inside(id_).files == {"kept": "1", "new": "2"}


class _With:
    """A port with one method of another kind."""

    def __init__(self, port: Any, **methods: Any) -> None:
        self._port, self._methods = port, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._port, name)


def test_a_delete_whose_instance_went_deletes(world: World) -> None:
    id_ = saved_and_running(world)
    lose(world, id_)
    world.delete(id_)

    assert world.settle(id_).state is State.DELETED


def test_the_sweep_notices_one_that_went_under_a_hold(world: World) -> None:
    id_ = saved_and_running(world)
    world.holds.begin(id_)
    lose(world, id_)

    world.pass_time(6 * MINUTE)

    assert messages(world, id_, Kind.REPLACED) != []
    assert world.get(id_).state in (State.RUNNING, State.IDLE)
    assert world.inside(id_).files == {"kept": "1"}


def test_without_money_one_that_went_while_idle_is_not_started(world: World) -> None:
    """It is worth more than was reserved for it at rest, so it is asked for first."""
    id_ = idle(world)
    lose(world, id_)
    set_own_caps(world.deps, ADA, daily=10_000, monthly=None)  # type: ignore[arg-type]

    for asked in (world.wake, lambda it: replace_instance(world.deps, it, ORIGIN)):
        with pytest.raises(CapReached):
            asked(id_)

    assert world.get(id_).state is State.IDLE


def test_without_money_an_idle_one_is_stopped_as_it_is_saved_and_not_let_loose_again(world: World) -> None:
    id_ = idle(world)
    set_own_caps(world.deps, ADA, daily=1, monthly=None)  # type: ignore[arg-type]
    asked = world.faults.count("quiesce")
    world.stop(id_)
    interval = world.get(id_).interval
    assert interval is not None
    assert interval.usage is Usage.IDLE
    stopped = world.settle(id_)

    assert (stopped.state, stopped.unsaved_changes) == (State.STOPPED, False)
    assert world.faults.count("quiesce") == asked
    service = world.services.get(stopped.cell, stopped.service_name or "")
    assert service is not None
    assert service.scaling is Scaling.OFF
