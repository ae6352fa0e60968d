"""Waiting: one waiter for many, and nobody who joins it is forgotten."""

import asyncio
from threading import Event

import pytest
from starlette.concurrency import run_in_threadpool

from functions.http.waiting import MOST_STEPS, Waiters
from shared.domain.names import WorkstationId, workstation_id
from shared.domain.states import State
from shared.domain.workstation import Workstation
from tests.usecases.conftest import ADA, ORIGIN, World


def test_who_joins_a_waiter_that_found_nothing_is_answered_all_the_same() -> None:
    """A name that was purged a moment ago has another life."""
    world = World()
    id_ = workstation_id(ADA, "demo", "main")
    waiters = Waiters()

    async def wait() -> Workstation | None:
        return await waiters.settle(world.deps, id_, ORIGIN, lambda seen: seen.state is State.RUNNING, 5)

    async def story() -> tuple[Workstation | None, Workstation | None]:
        before = await wait()
        world.provision()
        async with asyncio.timeout(5):
            return before, await wait()

    before, after = asyncio.run(story())

    assert before is None
    assert after is not None
    assert after.state is State.RUNNING


def test_agents_that_let_us_wait_leave_threads_for_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant's program can answer in its agent's place, and as slowly as it likes."""
    world, waiters, asked = World(), Waiters(), []
    all_asked, released = Event(), Event()

    def slow(id_: WorkstationId) -> None:
        asked.append(id_)
        if len(asked) == MOST_STEPS:
            all_asked.set()
        released.wait(30)

    monkeypatch.setattr(world.records, "workstation", slow)

    async def visit(number: int) -> None:
        id_ = workstation_id(ADA, "demo", f"w{number}")
        await waiters.settle(world.deps, id_, ORIGIN, lambda _seen: True, 5)

    async def story() -> str:
        visits = [asyncio.create_task(visit(number)) for number in range(60)]
        try:
            assert await asyncio.to_thread(all_asked.wait, 5)
            async with asyncio.timeout(5):
                return await run_in_threadpool(lambda: "answered")
        finally:
            released.set()
            await asyncio.gather(*visits)

    assert asyncio.run(story()) == "answered"
