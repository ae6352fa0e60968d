"""Services without a living record are found and deleted; what lives, or might, is never touched."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.errors import PermissionDenied, Unavailable
from shared.domain.lifecycle.orphans import MOST
from shared.domain.names import Uid, WorkstationId, service_name
from shared.domain.observed import Scaling, ServiceView
from shared.domain.states import State
from shared.domain.workstation import Workstation
from shared.ports import Batch, Stored
from shared.usecases.orphans import OrphanReport, collect_orphans
from tests.usecases.conftest import MINUTE, World

CELL = "demo/europe-west1"


def collect(world: World) -> OrphanReport:
    return collect_orphans(world.deps, (CELL,))


def stray(world: World, name: str = "ws-straystraystraystra-1", **changes: Any) -> str:
    """A service of ours that nobody has a record of, at MANUAL 0 unless said otherwise."""
    view = ServiceView(
        name=name,
        etag=f'"{name}"',
        uid=Uid("straystraystraystray"),
        epoch=1,
        not_after=world.clock.now() + timedelta(hours=1),
        scaling=Scaling.OFF,
        settled=True,
        changed_at=world.clock.now(),
        uri=f"https://{name}.memory.test",
    )
    world.services.put(CELL, replace(view, **changes))
    return name


def nobody(_uids: Collection[Uid]) -> Mapping[Uid, Workstation]:
    """What an empty database would answer."""
    return {}


def names(world: World) -> set[str]:
    return {service.name for service in world.services.all(CELL)}


def seen_twice(world: World) -> OrphanReport:
    collect(world)
    world.clock.advance(world.policy.orphan_grace)
    return collect(world)


@pytest.mark.parametrize("scaling", list(Scaling))
def test_a_stray_one_is_marked_when_first_seen_and_deleted_when_seen_again(
    world: World, scaling: Scaling
) -> None:
    name = stray(world, scaling=scaling)

    first = collect(world)
    assert (first.seen, first.marked, first.deleted) == ([name], [name], [])
    world.clock.advance(world.policy.orphan_grace - timedelta(seconds=1))
    assert collect(world).deleted == []
    world.clock.advance(timedelta(seconds=1))
    last = collect(world)

    assert (last.marked, last.deleted, last.troubles) == ([], [name], [])
    assert names(world) == set()


def test_its_other_marks_are_kept(world: World) -> None:
    """The pass that stops what is overdue goes by them."""
    name = stray(world)
    before = world.services.get(CELL, name)
    collect(world)
    after = world.services.get(CELL, name)

    assert before is not None
    assert after is not None
    assert (after.epoch, after.not_after, after.scaling) == (before.epoch, before.not_after, before.scaling)
    assert after.orphan_since == world.clock.now()


@pytest.mark.parametrize("state", sorted(set(State) - {State.DELETED, State.PENDING}))
def test_what_has_a_record_is_never_touched(world: World, state: State) -> None:
    id_ = world.provision()
    stored = world.records.workstation(id_)
    world.records.write(Batch(workstation=Stored(replace(stored.value, state=state), stored.version)))
    before = list(world.services.all(CELL))

    report = seen_twice(world)

    assert (report.seen, report.troubles) == ([], [])
    assert list(world.services.all(CELL)) == before


def test_an_older_service_of_a_life_that_has_a_newer_one_goes(world: World) -> None:
    id_ = world.provision()
    stored = world.records.workstation(id_)
    newer = replace(stored.value, k=2, service_name=service_name(stored.value.uid, 2))
    world.services.create(newer)
    world.records.write(Batch(workstation=Stored(newer, stored.version)))

    assert seen_twice(world).deleted == [service_name(newer.uid, 1)]
    assert names(world) == {newer.service_name}


def test_a_create_that_lands_after_a_retirement_or_a_purge_goes(world: World) -> None:
    """The request was under way when its workstation went; its services are made again behind everybody's back."""
    retired, purged = world.provision(name="retired"), world.provision(name="purged")
    late = [world.get(retired), world.get(purged)]
    world.stop(retired)
    world.settle(retired)
    world.pass_time(timedelta(days=31), sweeps=False)
    world.sweep()
    world.delete(purged, purge=True)
    _swept_until_gone(world, purged)
    assert world.get(retired).service_name is None
    assert names(world) == set()

    for workstation in late:
        world.services.create(workstation)

    assert len(seen_twice(world).deleted) == 2
    assert names(world) == set()


def _swept_until_gone(world: World, id_: WorkstationId) -> None:
    for _ in range(10):
        world.pass_time(MINUTE)
    assert world.records.workstation(id_) is None


# --- races -----------------------------------------------------------------------------------------------------


def test_the_services_are_listed_before_the_records_are_read(world: World) -> None:
    """A workstation that is provisioned between the two is in neither, or in both."""
    provisioned: list[WorkstationId] = []

    def provisioning(uids: Collection[Uid]) -> Mapping[Uid, Workstation]:
        if not provisioned:
            provisioned.append(world.provision())
        return lives(uids)

    lives = world.records.lives
    world.records.lives = provisioning

    assert seen_twice(world).seen == []
    assert world.get(provisioned[0]).state is State.RUNNING


def test_one_that_is_taken_into_use_in_the_meantime_is_left_alone(world: World) -> None:
    """Its record appears and it is scaled up after it was judged: the etag that was listed is no longer its own."""
    id_ = world.provision()
    living = world.get(id_)
    records = world.records.lives
    world.records.lives = nobody
    collect(world)
    world.clock.advance(world.policy.orphan_grace)

    def woken_since(uids: Collection[Uid]) -> Mapping[Uid, Workstation]:
        service = world.services.get(CELL, living.service_name or "")
        assert service is not None
        world.services.scale_up(living, service.etag)
        return {}

    world.records.lives = woken_since
    report = collect(world)

    assert (report.deleted, report.troubles) == ([], [])
    service = world.services.get(CELL, living.service_name or "")
    assert service is not None
    assert service.orphan_since is None, "scaling it up has taken the mark away"
    world.records.lives = records
    assert collect(world).seen == []


def test_one_that_turns_out_to_have_a_record_loses_its_mark(world: World) -> None:
    """Two sightings with a living one between them are one sighting."""
    id_ = world.provision()
    records = world.records.lives
    world.records.lives = nobody
    assert collect(world).marked == [world.get(id_).service_name]
    world.records.lives = records
    collect(world)
    world.clock.advance(world.policy.orphan_grace)
    world.records.lives = nobody

    assert collect(world).deleted == []


def test_one_that_is_gone_when_its_turn_comes_is_no_trouble(world: World) -> None:
    stray(world)
    lives = world.records.lives

    def gone(uids: Collection[Uid]) -> Mapping[Uid, Workstation]:
        for service in list(world.services.all(CELL)):
            world.services.delete(CELL, service)
        return dict(lives(uids))

    world.records.lives = gone
    report = collect(world)

    assert (report.marked, report.troubles) == ([], [])


# --- what is not known is not absent ---------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unavailable("500"), PermissionDenied("403"), ValueError("unreadable")])
def test_records_that_cannot_be_read_are_not_absent(world: World, error: Exception) -> None:
    stray(world)
    collect(world)
    world.clock.advance(world.policy.orphan_grace)

    def refusing(_uids: Collection[Uid]) -> Mapping[Uid, Workstation]:
        raise error

    world.records.lives = refusing
    report = collect(world)

    assert (report.seen, report.deleted) == ([], [])
    assert [trouble.id for trouble in report.troubles] == [CELL]
    assert len(names(world)) == 1


@pytest.mark.parametrize("method", ["mark_orphan", "delete"])
@pytest.mark.parametrize("error", [Unavailable("500"), PermissionDenied("403")])
def test_what_is_refused_for_one_does_not_hinder_the_others(
    world: World, method: str, error: Exception
) -> None:
    for number in range(3):
        stray(world, f"stray-{number}")
    if method == "delete":
        collect(world)
        world.clock.advance(world.policy.orphan_grace)
    world.faults.before(method, error=error)  # type: ignore[arg-type]
    report = collect(world)

    assert [trouble.id for trouble in report.troubles] == ["stray-0"]
    assert (report.marked or report.deleted) == ["stray-1", "stray-2"]


def test_too_many_at_once_are_no_orphans_but_an_alarm(world: World) -> None:
    """A wrong or empty database must not cost every service."""
    for number in range(MOST):
        stray(world, f"stray-{number}")
    collect(world)
    world.clock.advance(world.policy.orphan_grace)
    stray(world, "one-too-many")
    report = collect(world)

    assert (report.refused, report.marked, report.deleted) == (True, [], [])
    assert [trouble.reason for trouble in report.troubles] == ["TOO_MANY_ORPHANS"]
    assert len(names(world)) == MOST + 1

    left = world.services.get(CELL, "one-too-many")
    assert left is not None
    world.services.delete(CELL, left)
    assert len(collect(world).deleted) == MOST


def test_a_foreign_service_is_not_even_looked_at(world: World) -> None:
    stray(world, "somebody-elses", uid=Uid(""))

    assert seen_twice(world).seen == []
    assert world.services.get(CELL, "somebody-elses") is not None
