"""The whole product in memory: use cases over the in-memory adapters, and a clock that tests move."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.memory.agents import Instance, MemoryAgents
from shared.adapters.memory.backups import MemoryBackups
from shared.adapters.memory.clock import FakeClock
from shared.adapters.memory.entropy import SeededEntropy
from shared.adapters.memory.faults import Faults, faulty
from shared.adapters.memory.records import MemoryRecords
from shared.adapters.memory.services import MemoryServices
from shared.domain.catalog import Catalog, Template, Wish
from shared.domain.facts import Origin
from shared.domain.names import Owner, WorkstationId
from shared.domain.operations import Operation
from shared.domain.policy import Policy
from shared.domain.rates import Card
from shared.domain.sizes import SIZES
from shared.domain.states import State
from shared.domain.workstation import Workstation
from shared.ports import Batch, Records, Stored
from shared.usecases import cleanup, converge, delete, provision, stop, sweep, touch, wake
from shared.usecases.asking import Asker
from shared.usecases.deps import Deps
from shared.usecases.requests import Call

ADA, BOB = Owner("ada"), Owner("bob")
MINUTE = timedelta(minutes=1)
ORIGIN = Origin(actor="test")


class MemoryHolds:
    """Counts what the gateway would be asked; claims the hold in the record, as the gateway does."""

    def __init__(self, records: Records, clock: FakeClock) -> None:
        self.begun: list[WorkstationId] = []
        self._records, self._clock = records, clock

    def begin(self, id_: WorkstationId) -> None:
        self.begun.append(id_)
        stored = self._records.workstation(id_)
        assert stored
        held = replace(stored.value, hold_until=self._clock.now() + 2 * MINUTE)
        self._records.write(Batch(workstation=Stored(held, stored.version)))


@dataclass
class World:
    """A deployment, and hands to use it with."""

    policy: Policy = field(default_factory=Policy)
    card: Card = Card.LIST
    clock: FakeClock = field(default_factory=FakeClock)
    faults: Faults = field(default_factory=Faults)
    records: Any = field(default_factory=MemoryRecords)
    """In memory, or the real ones where a test is about races."""

    def __post_init__(self) -> None:
        self.services = MemoryServices(self.clock)
        self.backups = MemoryBackups(self.clock)
        self.agents = MemoryAgents(self.services, self.backups, self.clock)
        self.holds = MemoryHolds(self.records, self.clock)
        self.deps = Deps(
            records=self.records,
            services=faulty(self.services, self.faults),
            agents=faulty(self.agents, self.faults),
            backups=faulty(self.backups, self.faults),
            holds=self.holds,
            clock=self.clock,
            entropy=SeededEntropy(7),
            policy=self.policy,
            catalog=Catalog(
                templates={"python": Template(name="python", image="python@sha256:" + "0" * 64)},
                default_size=SIZES["light"],
                most=SIZES["ml"],
                card=self.card,
            ),
            cell="demo/europe-west1",
        )

    # --- what users do ---

    def asker(self, owner: Owner = ADA, request_id: str = "", etag: str = "") -> Asker:
        return Asker(owner=owner, call=Call(owner=owner, route="test", request_id=request_id), etag=etag)

    def provision(self, owner: Owner = ADA, name: str = "main", **wish: object) -> WorkstationId:
        """A workstation that runs."""
        operation = provision.provision(self.deps, self.asker(owner), Wish(project="demo", name=name, **wish))  # type: ignore[arg-type]
        self.converge(operation.workstation)
        return operation.workstation

    def wake(self, id_: WorkstationId, owner: Owner = ADA) -> Operation:
        return wake.wake(self.deps, self.asker(owner), id_)

    def stop(self, id_: WorkstationId) -> Operation:
        return stop.stop(self.deps, self.asker(), id_)

    def delete(self, id_: WorkstationId, *, purge: bool = False) -> Operation:
        return delete.delete(self.deps, self.asker(), id_, purge=purge)

    def touch(self, id_: WorkstationId) -> Workstation:
        return touch.keep_alive(self.deps, self.asker(), id_)

    # --- what time and the machine do ---

    def converge(self, id_: WorkstationId) -> Workstation:
        return converge.converge(self.deps, id_, ORIGIN)

    def sweep(self) -> sweep.SweepReport:
        return sweep.sweep(self.deps, timedelta(minutes=4))

    def cleanup(self) -> cleanup.CleanupReport:
        return cleanup.cleanup(self.deps.services, self.clock, ("demo/europe-west1",))

    def pass_time(self, by: timedelta, *, sweeps: bool = True) -> None:
        """Minutes pass, each with its sweep."""
        end = self.clock.now() + by
        while self.clock.now() < end:
            self.clock.advance(min(MINUTE, end - self.clock.now()))
            if sweeps:
                self.sweep()

    def settle(self, id_: WorkstationId) -> Workstation:
        """As long as it takes for what is under way, some seconds at a time."""
        for _ in range(20):
            seen = self.converge(id_)
            if seen.state not in (State.PENDING, State.STARTING, State.STOPPING, State.DELETING):
                return seen
            self.clock.advance(timedelta(seconds=5))
        return seen

    # --- what is so ---

    def get(self, id_: WorkstationId) -> Workstation:
        stored = self.records.workstation(id_)
        assert stored
        return stored.value

    def inside(self, id_: WorkstationId) -> Instance:
        instance = self.agents.instance(self.get(id_).uri or "")
        assert instance, "nothing runs"
        return instance


@pytest.fixture
def world() -> World:
    return World()
