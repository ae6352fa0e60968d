"""What cannot start or dies ends in ERROR with a reason of its own, costs nothing while it waits, and is tried again."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.breakdown import Breakdown, Cause
from shared.domain.catalog import Wish
from shared.domain.errors import FailedPrecondition, Unavailable
from shared.domain.names import WorkstationId
from shared.domain.observed import Scaling, ServiceView
from shared.domain.states import Kind, Reason, State
from shared.domain.workstation import Workstation
from shared.usecases import provision
from shared.usecases.replace_instance import replace_instance
from tests.usecases.conftest import ADA, MINUTE, ORIGIN, World


@dataclass
class Refusing:
    """Agents whose loads are refused, as the agent itself refuses them."""

    agents: Any
    reason: str
    message: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agents, name)

    def load(self, *_: object) -> None:
        raise FailedPrecondition(self.message, "AGENT_REFUSED", metadata={"agentReason": self.reason})


@dataclass
class Breaking:
    """Services that break down whenever they are to run."""

    services: Any
    breakdown: Breakdown

    def __getattr__(self, name: str) -> Any:
        return getattr(self.services, name)

    def get(self, cell: str, name: str) -> ServiceView | None:
        seen = self.services.get(cell, name)
        return replace(seen, breakdown=self.breakdown) if seen and seen.scaling is Scaling.ON else seen


@dataclass
class Away:
    """An Admin API that answers nobody."""

    services: Any
    away: bool = True

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise Unavailable("Could not read the service: no answer came in time.", "NO_ANSWER")
        return getattr(self.services, name)


def begun(world: World) -> WorkstationId:
    """Provisioned, and not looked at since."""
    return provision.provision(world.deps, world.asker(), Wish(project="demo", name="main")).workstation


def assert_it_costs_nothing(world: World, id_: WorkstationId) -> Workstation:
    """Seen gone: no open interval, no reservation, and nothing more in the ledger however long it waits."""
    seen = world.get(id_)
    assert (seen.state, seen.interval) == (State.ERROR, None)
    assert world.records.user(ADA).value.reservations == {}
    service = world.services.get(seen.cell, seen.service_name or "")
    assert service is None or service.scaling is Scaling.OFF
    return seen


@pytest.mark.mission("LIFE-13")
@pytest.mark.parametrize("cause", [Cause.IMAGE_NOT_FOUND, Cause.OUT_OF_MEMORY, Cause.NO_CAPACITY])
def test_a_failed_start_is_released_and_tried_again_five_times(world: World, cause: Cause) -> None:
    """It breaks at every start: six failures, with the waits between, and in the end its user's turn."""
    broken, failures = Breakdown(cause, "What Cloud Run says.", ("the last line",)), []
    world.deps = replace(world.deps, services=Breaking(world.services, broken))
    id_ = begun(world)
    while not failures or world.get(id_).retry_at:
        seen = world.converge(id_)
        if seen.state is State.ERROR and seen.failures not in failures:
            failures.append(seen.failures)
            assert seen.breakdown == broken
        world.clock.advance(timedelta(seconds=15))

    assert failures == [1, 2, 3, 4, 5, 6]
    world.converge(id_)
    left = assert_it_costs_nothing(world, id_)
    assert (left.retry_at, left.due_at) == (None, None)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("NO_SPACE", Cause.DISK_FULL),
        ("BACKUP_CORRUPT", Cause.BACKUP_DAMAGED),
        ("GRANT_REFUSED", Cause.LOAD_FAILED),
        ("", Cause.LOAD_FAILED),
    ],
)
def test_a_load_that_is_refused_says_what_is_in_the_way(world: World, reason: str, cause: Cause) -> None:
    message = "its files need 300 MiB or more, and the workspace holds 256 MiB; take a larger size"
    world.deps = replace(world.deps, agents=Refusing(world.agents, reason, message))
    id_ = begun(world)

    failed = world.converge(id_)
    world.clock.advance(timedelta(seconds=11))
    world.converge(id_)

    assert failed.breakdown
    assert (failed.breakdown.cause, failed.reason) == (cause, Reason.START_FAILED)
    assert "300 MiB" in failed.message
    assert_it_costs_nothing(world, id_)


def test_where_the_platform_stops_in_the_middle_the_start_is_given_up_and_taken_up_again(
    world: World,
) -> None:
    """Not before its time is up; released, and tried again, as soon as it can be seen."""
    world.services.settle_after = MINUTE
    id_ = world.provision()
    assert world.get(id_).state is State.STARTING
    outage = Away(world.services)
    world.deps = replace(world.deps, services=outage)
    with pytest.raises(Unavailable):
        world.converge(id_)
    assert world.get(id_).state is State.STARTING

    world.clock.advance(3 * MINUTE)
    with pytest.raises(Unavailable):
        world.converge(id_)

    failed = world.get(id_)
    assert failed.breakdown
    assert (failed.state, failed.breakdown.cause) == (State.ERROR, Cause.PLATFORM_UNAVAILABLE)
    assert "no answer came in time" in failed.message
    assert failed.interval
    outage.away = False
    world.services.settle_after = timedelta(0)
    world.pass_time(3 * MINUTE)
    assert world.get(id_).state is State.RUNNING


def test_an_outage_ends_nothing_that_runs(world: World) -> None:
    id_ = world.provision()
    world.deps = replace(world.deps, services=Away(world.services))
    world.clock.advance(5 * MINUTE)

    with pytest.raises(Unavailable):
        world.converge(id_)

    assert world.get(id_).state is State.RUNNING


def test_instances_that_end_again_and_again_end_in_an_error(world: World) -> None:
    """Whoever meets the new instance, and however often its user asks for it."""
    id_ = world.provision()
    most = world.policy.replacements.most
    for _ in range(most):
        world.agents.replace(world.get(id_).uri or "")
        replace_instance(world.deps, id_, ORIGIN)
        world.clock.advance(timedelta(seconds=20))
        world.converge(id_)

    seen = world.get(id_)
    assert seen.breakdown
    assert (seen.state, seen.reason, seen.breakdown.cause) == (State.ERROR, Reason.CRASH, Cause.CRASH_LOOP)
    kinds = [event.kind for event in world.records.events(id_, seen.uid)]
    assert kinds.count(Kind.REPLACED) == most - 1
    world.clock.advance(timedelta(seconds=11))
    world.converge(id_)
    assert_it_costs_nothing(world, id_)


def test_a_wake_that_meets_one_crash_too_many_is_told_so_and_the_next_begins_anew(world: World) -> None:
    id_ = world.provision()
    for n in range(world.policy.replacements.most):
        world.agents.replace(world.get(id_).uri or "")
        operation = world.wake(id_)
        world.settle(id_) if n < world.policy.replacements.most - 1 else None

    done = world.records.operation(operation.id)
    assert done
    assert (done.done, done.error_code, done.error_reason) == (True, "UNAVAILABLE", "CRASH_LOOP")
    world.wake(id_)
    assert world.settle(id_).state is State.RUNNING
    assert world.get(id_).replaced_times == ()
