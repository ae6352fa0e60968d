"""The contract of the port `ServiceHost`, held by the one in memory and by Cloud Run's Admin API alike."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.cloud_run.blueprint import Blueprint
from shared.adapters.cloud_run.client import services_client
from shared.adapters.cloud_run.services import CloudRunServices
from shared.adapters.memory.clock import FakeClock
from shared.adapters.memory.services import MemoryServices
from shared.domain.errors import NotFound, StaleWrite
from shared.domain.names import Uid, service_name
from shared.domain.observed import SETTLE, Scaling, ServiceView
from shared.domain.workstation import Workstation
from shared.ports import ServiceHost
from tests.builders import a_spec, a_workstation
from tests.emulator_processes import (
    IMAGE,
    PROJECT,
    REGION,
    RUNTIME,
    SWEEP,
    cloud_run_host,
    eventually,
    start_emulator,
)

__all__ = ["cloud_run_host", "start_emulator"]

CELL = f"{PROJECT}/{REGION}"
NOT_AFTER = datetime(2026, 12, 24, 18, 0, 0, 123456, tzinfo=UTC)


@dataclass
class Bench:
    """A host, and how to let a change come into force there."""

    host: ServiceHost
    wait: Callable[[Callable[[], bool]], None]

    def read(self, name: str) -> ServiceView:
        view = self.host.get(CELL, name)
        assert view is not None
        return view

    def settled(self, name: str) -> ServiceView:
        self.wait(lambda: self.read(name).settled)
        return self.read(name)

    def created(self, **changes: object) -> Workstation:
        workstation = a_new_workstation(**changes)
        self.host.create(workstation)
        assert workstation.service_name
        self.settled(workstation.service_name)
        return workstation

    def running(self, **changes: object) -> Workstation:
        workstation = self.created(**changes)
        self.host.scale_up(workstation, self.read(name_of(workstation)).etag)
        self.settled(name_of(workstation))
        return workstation


def a_new_workstation(**changes: object) -> Workstation:
    uid = Uid(uuid.uuid4().hex[:20])
    spec = a_spec(image=IMAGE)
    whole = a_workstation(uid=uid, cell=CELL, spec=spec, service_name=service_name(uid, 1), epoch=7)
    return replace(whole, not_after=NOT_AFTER, **changes)  # type: ignore[arg-type]


def name_of(workstation: Workstation) -> str:
    assert workstation.service_name
    return workstation.service_name


def a_blueprint(environment: str = "test") -> Blueprint:
    return Blueprint(environment=environment, runtime_service_account=RUNTIME, controllers=(SWEEP,))


def in_memory() -> Bench:
    clock = FakeClock()
    host = MemoryServices(clock, settle_after=timedelta(seconds=3))

    def wait(condition: Callable[[], bool]) -> None:
        clock.advance(timedelta(seconds=3))
        assert condition()

    return Bench(host, wait)


@pytest.fixture(params=["memory", "cloud_run"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """A host of services."""
    if request.param == "memory":
        return in_memory()
    address = request.getfixturevalue("cloud_run_host")
    return Bench(CloudRunServices(lambda: services_client(address), a_blueprint()), eventually)


def test_a_service_that_never_was_is_absent(bench: Bench) -> None:
    assert bench.host.get(CELL, "ws-nobody-1") is None


def test_a_new_service_is_off_and_bears_its_uid(bench: Bench) -> None:
    """Created at MANUAL 0: it has an address at once, and nothing runs."""
    workstation = bench.created()
    view = bench.read(name_of(workstation))
    assert (view.name, view.uid, view.epoch) == (workstation.service_name, workstation.uid, 7)
    assert (view.scaling, view.breakdown) == (Scaling.OFF, None)
    assert view.uri.startswith("http")


def test_creating_a_name_that_is_taken_leaves_the_service_as_it_is(bench: Bench) -> None:
    """The caller sees by the uid whose it is."""
    first = bench.created()
    before = bench.read(name_of(first))
    bench.host.create(replace(first, uid=Uid("zzzzzzzzzzzzzzzzzzzz")))
    assert bench.read(name_of(first)) == before


def test_scaling_up_writes_scaling_epoch_and_not_after_together(bench: Bench) -> None:
    workstation = bench.created()
    before = bench.read(name_of(workstation))
    later = replace(workstation, epoch=8, not_after=NOT_AFTER + timedelta(hours=1))
    bench.host.scale_up(later, before.etag)
    view = bench.read(name_of(workstation))
    assert (view.scaling, view.epoch, view.not_after) == (Scaling.ON, 8, later.not_after)
    assert view.etag != before.etag
    assert view.uri == before.uri


def test_scaling_up_again_moves_not_after_and_leaves_it_on(bench: Bench) -> None:
    workstation = bench.running()
    renewed = replace(workstation, not_after=NOT_AFTER + timedelta(minutes=20))
    bench.host.scale_up(renewed, bench.read(name_of(workstation)).etag)
    view = bench.settled(name_of(workstation))
    assert (view.scaling, view.not_after) == (Scaling.ON, renewed.not_after)


def test_a_record_without_not_after_leaves_none(bench: Bench) -> None:
    """An old limit does not stay behind: the annotations are written as a whole."""
    workstation = bench.running()
    bench.host.scale_up(replace(workstation, not_after=None), bench.read(name_of(workstation)).etag)
    assert bench.read(name_of(workstation)).not_after is None


def test_a_running_service_settles_without_a_breakdown(bench: Bench) -> None:
    view = bench.settled(name_of(bench.running()))
    assert (view.settled, view.breakdown) == (True, None)


def test_scaling_down_is_off_and_keeps_the_marks(bench: Bench) -> None:
    workstation = bench.running()
    bench.host.scale_down(CELL, bench.read(name_of(workstation)))
    view = bench.read(name_of(workstation))
    assert (view.scaling, view.epoch, view.not_after) == (Scaling.OFF, 7, NOT_AFTER)


def test_a_service_is_gone_once_settled_at_zero_for_its_grace(bench: Bench) -> None:
    """Not a microsecond before: its instance may still be ending."""
    workstation = bench.running()
    bench.host.scale_down(CELL, bench.read(name_of(workstation)))
    view = bench.settled(name_of(workstation))
    assert not view.is_gone(view.changed_at + SETTLE - timedelta(microseconds=1))
    assert view.is_gone(view.changed_at + SETTLE)


def test_it_wakes_again_after_it_was_scaled_down(bench: Bench) -> None:
    """From MANUAL 0 both counts have to be named, or zero would be inherited."""
    workstation = bench.running()
    bench.host.scale_down(CELL, bench.read(name_of(workstation)))
    bench.settled(name_of(workstation))
    bench.host.scale_up(replace(workstation, epoch=9), bench.read(name_of(workstation)).etag)
    view = bench.settled(name_of(workstation))
    assert (view.scaling, view.epoch) == (Scaling.ON, 9)


def test_an_orphans_mark_stands_beside_the_others_and_goes_when_it_is_taken_into_use(bench: Bench) -> None:
    workstation = bench.running()
    before = bench.settled(name_of(workstation))
    bench.host.mark_orphan(CELL, before, NOT_AFTER)
    marked = bench.settled(name_of(workstation))
    assert (marked.orphan_since, marked.epoch, marked.not_after) == (NOT_AFTER, 7, NOT_AFTER)
    assert (marked.scaling, marked.uri) == (Scaling.ON, before.uri)
    assert marked.etag != before.etag
    bench.host.mark_orphan(CELL, marked, None)
    assert bench.settled(name_of(workstation)).orphan_since is None
    bench.host.mark_orphan(CELL, bench.read(name_of(workstation)), NOT_AFTER)
    bench.host.scale_down(CELL, bench.settled(name_of(workstation)))
    assert bench.settled(name_of(workstation)).orphan_since == NOT_AFTER
    bench.host.scale_up(workstation, bench.read(name_of(workstation)).etag)
    assert bench.read(name_of(workstation)).orphan_since is None


def test_what_is_gone_cannot_be_marked(bench: Bench) -> None:
    view = bench.read(name_of(bench.created()))
    bench.host.delete(CELL, view)
    bench.wait(lambda: bench.host.get(CELL, view.name) is None)
    with pytest.raises(NotFound):
        bench.host.mark_orphan(CELL, view, NOT_AFTER)


def scale_up(host: ServiceHost, workstation: Workstation, read: ServiceView) -> None:
    host.scale_up(replace(workstation, epoch=99), read.etag)


def scale_down(host: ServiceHost, _workstation: Workstation, read: ServiceView) -> None:
    host.scale_down(CELL, read)


def delete(host: ServiceHost, _workstation: Workstation, read: ServiceView) -> None:
    host.delete(CELL, read)


def mark(host: ServiceHost, _workstation: Workstation, read: ServiceView) -> None:
    host.mark_orphan(CELL, read, NOT_AFTER)


@pytest.mark.parametrize("act", [scale_up, scale_down, delete, mark])
def test_who_read_before_the_last_change_writes_nothing(
    bench: Bench, act: Callable[[ServiceHost, Workstation, ServiceView], None]
) -> None:
    workstation = bench.created()
    stale = bench.read(name_of(workstation))
    bench.host.scale_up(workstation, stale.etag)
    now = bench.settled(name_of(workstation))
    with pytest.raises(StaleWrite):
        act(bench.host, workstation, stale)
    assert bench.read(name_of(workstation)) == now


def test_a_deleted_service_is_absent_and_deleting_it_again_is_done(bench: Bench) -> None:
    workstation = bench.created()
    view = bench.read(name_of(workstation))
    bench.host.delete(CELL, view)
    bench.wait(lambda: bench.host.get(CELL, view.name) is None)
    bench.host.delete(CELL, view)


def test_an_absent_service_cannot_be_scaled(bench: Bench) -> None:
    workstation = a_new_workstation()
    with pytest.raises(NotFound):
        bench.host.scale_up(workstation, '"etag"')


def test_all_lists_every_service_of_the_cell(bench: Bench) -> None:
    names = {name_of(bench.created()) for _ in range(3)}
    listed = {view.name: view for view in bench.host.all(CELL)}
    assert names <= listed.keys()
    assert all(listed[name] == bench.read(name) for name in names)


def test_all_leaves_out_what_another_deployment_made(cloud_run_host: str) -> None:
    """Two environments may share a cell; each sweeps its own."""
    ours, theirs = (
        CloudRunServices(lambda: services_client(cloud_run_host), a_blueprint(name))
        for name in ("test", "staging")
    )
    workstation = a_new_workstation()
    theirs.create(workstation)
    assert workstation.service_name in {view.name for view in theirs.all(CELL)}
    assert workstation.service_name not in {view.name for view in ours.all(CELL)}


def test_waking_marking_and_stopping_never_make_a_revision(cloud_run_host: str) -> None:
    """A new revision is a new instance, and the disk of the old one is lost."""
    bench = Bench(CloudRunServices(lambda: services_client(cloud_run_host), a_blueprint()), eventually)
    workstation = bench.running()
    path = f"projects/{PROJECT}/locations/{REGION}/services/{workstation.service_name}"
    created = services_client(cloud_run_host).get_service(name=path).latest_created_revision
    bench.host.mark_orphan(CELL, bench.settled(name_of(workstation)), NOT_AFTER)
    bench.host.scale_down(CELL, bench.settled(name_of(workstation)))
    bench.host.scale_up(replace(workstation, epoch=8), bench.settled(name_of(workstation)).etag)
    bench.settled(name_of(workstation))
    assert services_client(cloud_run_host).get_service(name=path).latest_created_revision == created
