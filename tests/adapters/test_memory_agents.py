"""The in-memory world: workspaces survive by their backups alone, and faults strike where they were planned."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from shared.adapters.memory.agents import MemoryAgents
from shared.adapters.memory.backups import MemoryBackups
from shared.adapters.memory.clock import FakeClock
from shared.adapters.memory.entropy import SeededEntropy
from shared.adapters.memory.faults import Faults, faulty
from shared.adapters.memory.services import MemoryServices
from shared.domain.breakdown import Breakdown, Cause
from shared.domain.errors import FailedPrecondition, OutcomeUnknown, StaleWrite, Unavailable
from shared.domain.observed import Busy, Phase, Scaling
from shared.domain.workstation import Backup, Source
from shared.ports import Address, Saved
from tests.builders import a_workstation

CELL = "cell-1/here"
NAME = "ws-a-1"
WORKSTATION = a_workstation(cell=CELL, service_name=NAME)


@dataclass
class World:
    clock: FakeClock
    services: MemoryServices
    backups: MemoryBackups
    agents: MemoryAgents
    address: Address

    def etag(self) -> str:
        view = self.services.get(CELL, NAME)
        assert view is not None
        return view.etag

    def restart(self) -> None:
        """Down and up again: another instance."""
        view = self.services.get(CELL, NAME)
        assert view is not None
        self.services.scale_down(CELL, view)
        self.services.scale_up(WORKSTATION, self.etag())

    def saved(self, name: str, known: str | None = None) -> Saved:
        return self.agents.save(self.address, self.backups.upload_grant(name), known)

    def backup(self, name: str, saved: Saved) -> Backup:
        return Backup(
            object_name=name,
            time=self.clock.now(),
            sha256=saved.sha256,
            size=saved.size,
            files=saved.files,
            epoch=1,
        )


@pytest.fixture
def world() -> World:
    """A workstation that runs, with a loaded and empty workspace."""
    clock = FakeClock()
    services, backups = MemoryServices(clock), MemoryBackups(clock)
    agents = MemoryAgents(services, backups, clock)
    services.create(WORKSTATION)
    view = services.get(CELL, NAME)
    assert view is not None
    services.scale_up(WORKSTATION, view.etag)
    address = Address(uri=view.uri, service=NAME, epoch=1)
    agents.load(address, None, None)
    return World(clock, services, backups, agents, address)


def test_files_survive_a_restart_by_their_backup_alone(world: World) -> None:
    instance = world.agents.instance(world.address.uri)
    assert instance is not None
    instance.write("main.py", "print('hello')", world.clock.now())
    backup = world.backup("b/1", world.saved("b/1"))
    world.restart()
    assert world.agents.look(world.address, world.clock.now()).phase is Phase.EMPTY
    world.agents.load(world.address, backup, world.backups.download_grant("b/1"))
    restored = world.agents.instance(world.address.uri)
    assert restored is not None
    assert restored is not instance
    assert restored.files == {"main.py": "print('hello')"}


def test_a_save_of_what_is_known_uploads_nothing(world: World) -> None:
    first = world.saved("b/1")
    again = world.saved("b/2", known=first.sha256)
    assert again == replace(first, unchanged=True)
    assert world.backups.stat("b/2") is None


def test_a_damaged_backup_is_not_loaded(world: World) -> None:
    backup = world.backup("b/1", world.saved("b/1"))
    world.backups.corrupt("b/1")
    world.restart()
    with pytest.raises(FailedPrecondition):
        world.agents.load(world.address, backup, world.backups.download_grant("b/1"))
    assert world.agents.look(world.address, world.clock.now()).phase is Phase.EMPTY


def test_the_platform_may_replace_an_instance(world: World) -> None:
    before = world.agents.look(world.address, world.clock.now())
    world.agents.replace(world.address.uri)
    after = world.agents.look(world.address, world.clock.now())
    assert (after.phase, after.boot_id != before.boot_id) == (Phase.EMPTY, True)


def test_a_busy_instance_refuses_to_freeze(world: World) -> None:
    instance = world.agents.instance(world.address.uri)
    assert instance is not None
    instance.busy, instance.cause = Busy.YES, "make"
    answer = world.agents.quiesce(world.address, idle_seconds=None, force=False, reason="idle")
    assert (answer.quiesced, answer.cause) == (False, "make")
    assert answer.activity is not None
    assert answer.activity.source is Source.PROCESS


def test_a_freeze_without_progress_ends_by_itself(world: World) -> None:
    world.agents.quiesce(world.address, idle_seconds=None, force=False, reason="idle")
    world.clock.advance(timedelta(seconds=119))
    assert world.agents.look(world.address, world.clock.now()).phase is Phase.QUIESCED
    world.clock.advance(timedelta(seconds=1))
    assert world.agents.look(world.address, world.clock.now()).phase is Phase.READY


def test_a_service_that_broke_down_has_no_agent(world: World) -> None:
    world.services.break_down(CELL, NAME, Breakdown(Cause.OUT_OF_MEMORY, "Memory limit exceeded"))
    with pytest.raises(Unavailable):
        world.agents.look(world.address, world.clock.now())


def test_a_change_takes_its_time_to_settle(world: World) -> None:
    world.services.settle_after = timedelta(seconds=5)
    view = world.services.get(CELL, NAME)
    assert view is not None
    world.services.scale_down(CELL, view)
    view = world.services.get(CELL, NAME)
    assert view is not None
    assert (view.scaling, view.settled) == (Scaling.OFF, False)
    world.clock.advance(timedelta(seconds=5))
    view = world.services.get(CELL, NAME)
    assert view is not None
    assert (view.settled, view.changed_at) == (True, world.clock.now())


def test_a_grant_expires(world: World) -> None:
    grant = world.backups.upload_grant("b/1")
    world.clock.advance(timedelta(minutes=15))
    with pytest.raises(Exception, match="expired"):
        world.backups.upload(grant, b"late")


# --- faults ---


def test_a_fault_before_leaves_no_effect(world: World) -> None:
    faults = Faults()
    services = faulty(world.services, faults)
    etag = world.etag()
    faults.before("scale_up", nth=2)
    services.scale_up(WORKSTATION, etag)
    with pytest.raises(Unavailable):
        services.scale_up(replace(WORKSTATION, epoch=9), world.etag())
    view = world.services.get(CELL, NAME)
    assert view is not None
    assert view.epoch == 1


def test_a_fault_after_loses_only_the_answer(world: World) -> None:
    faults = Faults()
    services = faulty(world.services, faults)
    faults.after("scale_up")
    with pytest.raises(OutcomeUnknown):
        services.scale_up(replace(WORKSTATION, epoch=9), world.etag())
    view = world.services.get(CELL, NAME)
    assert view is not None
    assert view.epoch == 9


def test_faults_strike_as_often_as_planned_and_of_the_kind_that_was_planned(world: World) -> None:
    faults = Faults()
    services = faulty(world.services, faults)
    faults.before("get", times=2, error=StaleWrite("planned"))
    for _ in range(2):
        with pytest.raises(StaleWrite, match="planned"):
            services.get(CELL, NAME)
    assert services.get(CELL, NAME) is not None
    assert faults.calls == ["get"] * 3
    assert faults.count("get") == 3


def test_faults_can_be_called_off(world: World) -> None:
    faults = Faults()
    services = faulty(world.services, faults)
    faults.before("get", times=100)
    faults.clear()
    assert services.get(CELL, NAME) is not None


def test_dice_fall_alike_for_one_seed() -> None:
    one, same, other = (SeededEntropy(seed) for seed in (1, 1, 2))
    assert (one.bytes(16), one.jitter()) == (same.bytes(16), same.jitter())
    assert one.bytes(16) != other.bytes(16)
    assert 0 <= one.jitter() < 1
