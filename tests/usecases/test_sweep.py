"""The sweep: what is due and no more, each on its own, however often it comes."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.catalog import Wish
from shared.domain.errors import Unavailable
from shared.domain.money import Micros
from shared.domain.names import Owner, WorkstationId
from shared.domain.observed import AgentView, Scaling
from shared.domain.states import State
from shared.ports import Address
from shared.usecases.budgets import set_own_caps
from shared.usecases.provision import provision
from shared.usecases.sweep import sweep
from tests.usecases.conftest import BOB, MINUTE, World


@pytest.mark.mission("IDLE-05", "LIFE-05")
def test_doubled_and_dropped_sweeps_change_nothing(world: World) -> None:
    id_ = world.provision()
    for minute in range(50):
        world.clock.advance(MINUTE)
        for _ in range((2, 0, 1, 3)[minute % 4]):
            world.sweep()

    assert world.get(id_).state is State.STOPPED
    kinds = [event.kind for event in world.records.events(id_, world.get(id_).uid)]
    assert kinds.count("idled") == kinds.count("stopped") == 1  # type: ignore[comparison-overlap]


def test_what_is_not_due_is_not_touched(world: World) -> None:
    world.provision()
    world.sweep()

    assert world.sweep().workstations == 0


def test_one_poison_record_stands_in_nobodys_way(world: World) -> None:
    sick, well = world.provision(name="sick"), world.provision(BOB, name="well")
    world.faults.before("get", times=1)
    world.pass_time(7 * MINUTE)

    assert world.get(well).state is State.IDLE
    assert world.get(sick).state is State.IDLE


def test_a_stop_that_is_asked_for_while_the_sweep_has_trouble_is_not_put_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = world.provision()
    world.clock.advance(6 * MINUTE)
    look = world.services.get

    def away(cell: str, name: str) -> object:
        monkeypatch.setattr(world.services, "get", look)
        world.stop(id_)
        raise Unavailable("Nobody answers.", "NO_ANSWER")

    monkeypatch.setattr(world.services, "get", away)
    assert world.sweep().troubles

    due_at = world.get(id_).due_at
    assert world.get(id_).state is State.STOPPING
    assert due_at is not None
    assert due_at <= world.clock.now()


def test_a_record_that_cannot_be_read_stands_in_nobodys_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the longest due of all, at every pass."""
    sick, well = world.provision(name="sick"), world.provision(BOB, name="well")
    read = world.records.workstation

    def broken(id_: WorkstationId) -> object:
        if id_ == sick:
            raise KeyError("state")
        return read(id_)

    world.clock.advance(7 * MINUTE)
    monkeypatch.setattr(world.records, "workstation", broken)
    report = world.sweep()

    assert {trouble.id for trouble in report.troubles} == {sick}
    assert world.get(well).state is State.IDLE


def test_a_pass_ends_in_time_however_slow_each_one_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets that are due are visited first, and count as well."""
    for owner in ("ada", "bob", "eve"):
        world.provision(Owner(owner))
        set_own_caps(world.deps, Owner(owner), daily=Micros(0), monthly=None)
    look = world.services.get

    def slow(cell: str, name: str) -> object:
        world.clock.advance(3 * MINUTE)
        return look(cell, name)

    monkeypatch.setattr(world.services, "get", slow)
    report = world.sweep()

    assert report.left_over
    assert report.users < 3


def test_trouble_is_in_the_report_and_due_again(world: World) -> None:
    id_ = world.provision()
    world.clock.advance(6 * MINUTE)
    world.faults.before("get", times=100)

    report = world.sweep()

    assert [trouble.id for trouble in report.troubles] == [id_]
    world.faults.clear()
    world.pass_time(2 * MINUTE)
    assert world.get(id_).state is State.IDLE


def test_a_service_that_runs_though_its_record_says_stopped_is_stopped_again(world: World) -> None:
    id_ = world.provision()
    world.stop(id_)
    world.settle(id_)
    stopped = world.get(id_)
    service = world.services.get(stopped.cell, stopped.service_name or "")
    assert service is not None
    world.services.scale_up(stopped, service.etag)

    world.converge(id_)

    again = world.services.get(stopped.cell, stopped.service_name or "")
    assert again is not None
    assert again.scaling is Scaling.OFF


def test_after_the_retention_the_service_goes_and_a_wake_makes_it_anew(world: World) -> None:
    id_ = world.provision()
    world.inside(id_).write("old.txt", "still here", world.clock.now())
    world.stop(id_)
    world.settle(id_)
    world.clock.advance(timedelta(days=30))
    world.sweep()
    world.clock.advance(MINUTE)
    world.sweep()
    retired = world.get(id_)
    assert (retired.state, retired.service_name) == (State.STOPPED, None)

    world.wake(id_)
    world.settle(id_)

    assert world.get(id_).service_name == f"ws-{retired.uid}-2"
    assert world.inside(id_).files == {"old.txt": "still here"}


@pytest.mark.mission("LIFE-25")
def test_a_start_that_fails_is_released_retried_and_then_waits_for_its_user(world: World) -> None:
    world.faults.before("load", times=10_000)
    id_ = provision(world.deps, world.asker(), Wish(project="demo", name="main")).workstation

    states = set()
    for _ in range(150):
        world.pass_time(MINUTE)
        states.add(world.get(id_).state)

    seen = world.get(id_)
    assert states == {State.STARTING, State.ERROR}
    assert (seen.state, seen.failures, seen.retry_at, seen.interval) == (State.ERROR, 6, None, None)
    world.faults.clear()
    world.wake(id_)
    assert world.settle(id_).state is State.RUNNING
    assert world.get(id_).failures == 0


def test_an_agent_that_lets_us_wait_holds_up_nobody_else(world: World) -> None:
    """With workers, all others are done while one still waits for its agent."""
    slow, others = world.provision(name="slow"), [world.provision(name=f"w{n}") for n in range(5)]
    world.clock.advance(6 * MINUTE)
    waiting, look = threading.Event(), world.agents.look

    def stalling(address: Address, now: datetime) -> AgentView:
        if address.uri == world.get(slow).uri:
            assert waiting.wait(10), "the others never got done"
        return look(address, now)

    world.agents.look = stalling  # type: ignore[method-assign]
    deps = replace(world.deps, agents=world.agents, workers=3)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(sweep, deps, timedelta(minutes=4))
        until(lambda: {world.get(id_).state for id_ in others} == {State.IDLE})
        assert world.get(slow).state is State.RUNNING
        waiting.set()
        report = pending.result(10)

    assert (report.workstations, report.moved, report.troubles) == (6, {"IDLE": 6}, [])


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_start_that_nobody_waits_for_any_more_is_finished_by_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller died at once, the instance boots in some seconds, and the sweep comes once a minute."""
    asker = world.asker()
    id_ = WorkstationId(provision(world.deps, asker, Wish(project="demo", name="left")).workstation)
    booted = world.clock.now() + 2 * MINUTE
    look = world.agents.look

    def booting(address: Address, now: datetime) -> AgentView:
        if world.clock.now() < booted:
            raise Unavailable("It boots.", reason="AGENT_UNREACHABLE")
        return look(address, now)

    monkeypatch.setattr(world.agents, "look", booting)
    for _ in range(3):
        world.clock.advance(timedelta(seconds=55))
        world.sweep()

    assert world.get(id_).state is State.RUNNING
