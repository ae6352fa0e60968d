"""Counts that cannot be written down: they cost nobody a thread, and no process its end."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from starlette.concurrency import run_in_threadpool

from functions.gateway import tallies
from functions.gateway.tallies import Tallies
from shared.adapters.memory.records import MemoryRecords
from shared.domain.errors import Unavailable
from shared.domain.names import Uid, WorkstationId
from shared.domain.policy import Policy
from shared.domain.workstation import Workstation
from shared.ports import Stored
from tests.usecases.conftest import MINUTE, World

MANY = 100
PATIENCE = 60.0


class SilentRecords(MemoryRecords):
    """A database that lets whoever asks it wait until it is `over`, and then has no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.over = threading.Event(), threading.Event()
        self.asked = 0

    def workstation(self, id_: WorkstationId) -> Stored[Workstation] | None:
        self.asked += 1
        self.begun.set()
        self.over.wait(PATIENCE)
        raise Unavailable("It does not answer.")


Work = Callable[[SilentRecords, Tallies], Coroutine[Any, Any, None]]


def with_many_uncounted(idle_after: float, work: Work) -> None:
    """`work`, in a gateway with unwritten tallies of many workstations before a silent database."""
    world = World(policy=Policy(idle_after=MINUTE * idle_after))
    life = world.get(world.provision())
    records = SilentRecords()

    async def run() -> None:
        counting = Tallies(replace(world.deps, records=records))
        for number in range(MANY):
            counting.add(replace(life, uid=Uid(f"uid{number}")))
        try:
            await asyncio.wait_for(work(records, counting), PATIENCE / 2)
        finally:
            records.over.set()
            await counting.close()

    asyncio.run(run())


def test_while_the_database_is_silent_requests_find_a_thread() -> None:
    async def work(records: SilentRecords, _counting: Tallies) -> None:
        await run_in_threadpool(records.begun.wait, PATIENCE)
        await run_in_threadpool(lambda: None)

    with_many_uncounted(0.001, work)


def test_a_gateway_comes_to_its_end_before_a_silent_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written in the seconds that a process is given is lost."""
    monkeypatch.setattr(tallies, "LAST_SECONDS", 0.2)

    async def work(records: SilentRecords, counting: Tallies) -> None:
        await counting.close()
        assert records.asked < MANY

    with_many_uncounted(60, work)
