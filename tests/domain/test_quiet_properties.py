"""Properties of deciding, from whatever state a life has come to: it comes to rest, and stays there until it is due."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.actions import Decision
from shared.domain.observed import SETTLE, Busy, Phase
from shared.domain.policy import Policy, Priority, Reserves, StopTimeouts
from shared.domain.states import Reason, State
from shared.domain.workstation import Activity, Source
from tests.domain.builders_workstation import HOUR, MINUTE, NOW, POLICY, a_spec
from tests.domain.model_world import World, a_new_world

SHORT = Policy(
    idle_after=timedelta(seconds=6),
    stop_timeouts=StopTimeouts(
        high=timedelta(seconds=60), normal=timedelta(seconds=20), low=timedelta(seconds=10)
    ),
    sweep_interval=timedelta(seconds=2),
    reserves=Reserves(
        ahead=timedelta(seconds=60), minimum=timedelta(seconds=20), save_time=timedelta(seconds=5)
    ),
)
"""Timers as a demo shortens them."""

Step = Callable[[World], World]


def _lying(world: World, ahead: timedelta) -> World:
    """The agent's clock, or its honesty, is off."""
    if world.agent is None:
        return world
    seen = Activity(world.now + ahead, Source.REQUEST)
    return replace(world, agent=replace(world.agent, last_client_activity=seen))


STEP: st.SearchStrategy[Step] = st.one_of(
    st.timedeltas(timedelta(0), 3 * HOUR).map(lambda time: lambda world: world.later(time)),
    st.timedeltas(timedelta(0), timedelta(minutes=2)).map(
        lambda time: lambda world: world.later(time).converge()
    ),
    st.just(World.converge),
    st.just(World.woken),
    st.just(World.stopped_by_user),
    st.just(World.deleted_by_user),
    st.just(World.cleaned),
    st.just(World.with_activity),
    st.sampled_from(Busy).map(lambda busy: lambda world: world.with_busy(busy)),
    st.sampled_from(Phase).map(lambda phase: lambda world: world._with_agent(phase=phase)),
    st.timedeltas(-HOUR, HOUR).map(lambda ahead: lambda world: _lying(world, ahead)),
    st.just(lambda world: world.with_new_instance() if world.instance_may_run else world),
    st.sampled_from([Reason.OOM, Reason.CRASH]).map(lambda why: lambda world: world.with_breakdown(why)),
    st.just(lambda world: replace(world, service=None, agent=None)),
    st.booleans().map(lambda up: lambda world: replace(world, reachable=up)),
    st.booleans().map(lambda up: lambda world: replace(world, gateway_up=up)),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A life after a few turns of fate, of any priority, with default or shortened timers."""
    policy = draw(st.sampled_from([POLICY, SHORT]))
    spec = a_spec(
        draw(st.sampled_from(Priority)), stop_timeout=draw(st.sampled_from([None, timedelta(seconds=1)]))
    )
    world = a_new_world(NOW, policy, spec=spec)
    for step in draw(st.lists(STEP, max_size=12)):
        world = step(world)
    return world


@given(worlds())
def test_deciding_again_after_acting_is_quiet(world: World) -> None:
    """`converge` itself fails where there is no end to it; what it leaves needs nothing, or cannot be helped now."""
    quiet = world.converge()

    again = quiet.decision()
    assert again.action is None or quiet.enact(again.action) == quiet
    assert quiet.converge() == quiet


@given(worlds())
def test_nothing_flips_between_running_and_not_running_at_one_moment(world: World) -> None:
    """Records that leave the state as it is, such as a save, are no flip."""
    passed = [state for state, _ in groupby(world.converge().states[len(world.states) - 1 :])][1:]

    assert passed.count(State.RUNNING) <= 1
    assert passed.count(State.STOPPED) <= 1


@given(worlds())
def test_what_needs_nothing_now_is_due_later_or_waits_for_somebody(world: World) -> None:
    quiet = world.converge()
    decision = quiet.decision()

    if decision.action is None:
        assert decision.due_at is None or decision.due_at > quiet.now
        assert decision.due_at is not None or _waits_for_somebody(quiet)
    else:
        assert decision.due_at is not None
        assert decision.due_at <= quiet.now + POLICY.sweep_interval


def _waits_for_somebody(world: World) -> bool:
    record = world.workstation
    match record.state:
        case State.DELETED:
            return True
        case State.ERROR:
            return record.retry_at is None and record.interval is None
        case State.STOPPED:
            return world.service is None and record.service_name is None
        case _:
            return False


@given(worlds())
def test_nothing_changes_before_it_is_due(world: World) -> None:
    """What is decided a microsecond before `due_at` is what was decided at once: a sweep that slept missed nothing."""
    quiet = world.converge()
    due_at = quiet.workstation.due_at
    if due_at is None or due_at - quiet.now > POLICY.retention:
        return
    if quiet.agent and quiet.workstation.state is State.RUNNING:
        return  # the agent may tell something new at any time; it is asked on a schedule of its own

    early = replace(quiet, now=due_at - timedelta(microseconds=1)).decision()

    assert early.action == quiet.decision().action or early == Decision(early.action, early.due_at)
    assert quiet.workstation.state is State.STARTING or early.action == quiet.decision().action


RANK = {State.RUNNING: 3, State.IDLE: 2, State.STOPPING: 1, State.STOPPED: 0}


def _left_alone(world: World) -> World:
    """Nobody there, nothing busy, nothing broken, nothing wanted."""
    calm = replace(world, reachable=True, gateway_up=True).with_busy(Busy.NO)
    return replace(calm, workstation=replace(calm.workstation, wake_pending=False))


@given(worlds(), st.lists(st.timedeltas(timedelta(seconds=1), HOUR), min_size=1, max_size=12))
def test_without_activity_nothing_becomes_more_alive(world: World, waits: list[timedelta]) -> None:
    alone = _left_alone(world.converge()).converge()
    if alone.workstation.state not in RANK:
        return

    for wait in waits:
        later = alone.later(wait).converge()
        passed = [alone.workstation.state, *later.states[len(alone.states) :]]
        if State.ERROR in passed or State.DELETING in passed or State.STARTING in passed:
            return  # broken before it was left alone
        assert [RANK[state] for state in passed] == sorted((RANK[state] for state in passed), reverse=True)
        alone = later


@pytest.mark.parametrize("priority", sorted(set(Priority) - {Priority.CRITICAL}))
@pytest.mark.parametrize("policy", [POLICY, SHORT], ids=["default timers", "short timers"])
def test_left_alone_everything_but_critical_comes_to_rest(priority: Priority, policy: Policy) -> None:
    """Swept every minute: STOPPED within its timeout, a sweep and the time to settle, with nothing reserved."""
    world = a_new_world(NOW, policy, spec=a_spec(priority)).converge()
    timeout = policy.stop_timeouts.of(priority)
    assert timeout is not None

    while world.workstation.state is not State.STOPPED and world.now < NOW + 4 * HOUR:
        world = world.later(policy.sweep_interval).swept()

    assert world.states[2:] == (State.RUNNING, *world.states[3:-2], State.STOPPING, State.STOPPED)
    assert State.IDLE in world.states
    assert timeout <= world.now - NOW <= timeout + SETTLE + 2 * policy.sweep_interval + timedelta(seconds=5)
    assert world.user.reservations == {}
    assert world.workstation.reason is Reason.STOP_TIMEOUT


def test_a_busy_job_runs_for_five_hours_without_a_client_and_twelve_are_its_end() -> None:
    world = a_new_world(NOW, POLICY).converge().with_busy(Busy.YES)

    while world.workstation.state is State.RUNNING and world.now < NOW + 14 * HOUR:
        world = world.later(MINUTE).swept()

    assert State.IDLE not in world.states
    assert world.workstation.reason is Reason.SAFETY_LIMIT
    assert timedelta(0) <= world.now - NOW - 12 * HOUR <= MINUTE


@pytest.mark.parametrize(
    "silent_client", [True, False], ids=["with an open, silent client", "without a client"]
)
def test_silence_goes_idle_on_time_whoever_is_connected(silent_client: bool) -> None:
    world = a_new_world(NOW, POLICY).converge()
    opened = world.with_activity() if silent_client else world

    while opened.workstation.state is State.RUNNING:
        opened = opened.later(MINUTE).swept()

    assert opened.workstation.state is State.IDLE
    assert opened.now == NOW + 5 * MINUTE
