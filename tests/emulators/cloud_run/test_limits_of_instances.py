"""How many instances: as many as the requests need, within minimum and maximum, and exactly n by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

from tests.emulators.cloud_run.hosted import Hosted, a_revision, eventually, hosted


def serving(here: Hosted) -> int:
    return sum(state in ("SERVING", "FROZEN") for state in here.states())


async def at_work(here: Hosted, count: int) -> list[asyncio.Task]:
    asking = [asyncio.create_task(here.get("wait?seconds=600")) for _ in range(count)]
    await eventually(lambda: here.usage.count("request_began") == count)
    return asking


async def ended(asking: list[asyncio.Task]) -> list[int]:
    return [answer.status_code for answer in await asyncio.gather(*asking)]


def test_concurrency_is_filled_before_another_instance_starts(tmp_path: Path) -> None:
    """Seven requests of an instance's three need three instances; none has more than its three."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(concurrency=3, timeout=timedelta(minutes=1)), 0, 5)
            asking = await at_work(here, 7)
            per_instance = [instance.in_flight for instance in here.site.autoscaler.instances]
            assert sum(per_instance) == 7
            assert len(per_instance) == 3
            assert max(per_instance) == 3
            await here.advance(minutes=1)
            assert Counter(await ended(asking)) == {504: 7}

    asyncio.run(story())


def test_the_maximum_holds_and_the_rest_waits_and_is_429(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(concurrency=2, timeout=timedelta(minutes=10)), 0, 2)
            asking = await at_work(here, 4)
            waiting = [asyncio.create_task(here.get()) for _ in range(3)]
            await eventually(lambda: here.site.autoscaler.waiting == 3)
            assert len(here.states()) == 2
            await here.advance(seconds=61)
            assert await ended(waiting) == [429, 429, 429]
            await here.advance(minutes=10)
            assert await ended(asking) == [504] * 4

    asyncio.run(story())


def test_surplus_instances_end_after_their_idleness_and_the_minimum_stays(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(concurrency=1, timeout=timedelta(minutes=1)), 1, 3)
            asking = await at_work(here, 3)
            await here.advance(minutes=1)
            await ended(asking)
            await here.advance(minutes=13)
            assert len(here.states()) == 3
            await here.advance(minutes=3)
            assert len(here.states()) == 1
            await here.advance(hours=24)
            assert len(here.states()) == 1

    asyncio.run(story())


def test_a_lower_maximum_ends_idle_instances_at_once_and_busy_ones_when_they_are_done(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            revision = a_revision(concurrency=1, timeout=timedelta(minutes=5))
            here.apply(revision, 2, 3)
            await eventually(lambda: serving(here) == 2)
            asking = await at_work(here, 3)
            here.apply(revision, 1, 1)
            assert serving(here) == 3
            await here.advance(minutes=5)
            await ended(asking)
            await eventually(lambda: here.states() == ["FROZEN"])

    asyncio.run(story())


def test_a_raised_minimum_warms_instances_without_a_request(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            revision = a_revision(checked=False)
            here.apply(revision, 0, 5)
            assert here.states() == []
            here.apply(revision, 3, 5)
            await eventually(lambda: serving(here) == 3)

    asyncio.run(story())


def test_by_hand_there_are_exactly_n(tmp_path: Path) -> None:
    """No request makes it more, no idleness less; a request above their concurrency waits."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            revision = a_revision(concurrency=1, timeout=timedelta(minutes=5), checked=False)
            here.apply(revision, 2, 2, exact=True)
            await eventually(lambda: serving(here) == 2)
            await here.advance(hours=2)
            assert serving(here) == 2
            asking = await at_work(here, 2)
            third = asyncio.create_task(here.get())
            await eventually(lambda: here.site.autoscaler.waiting)
            assert len(here.states()) == 2
            await here.advance(seconds=61)
            assert (await third).status_code == 429
            here.apply(revision, 1, 1, exact=True)
            await eventually(lambda: serving(here) == 1)
            await here.advance(minutes=5)
            await ended(asking)

    asyncio.run(story())


def test_by_hand_none_is_503_at_once_and_cuts_what_is_open(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            revision = a_revision()
            here.apply(revision, 1, 1)
            [asking] = await at_work(here, 1)
            here.apply(revision, 0, 0, exact=True)
            assert (await here.get()).status_code == 503
            assert (await asking).status_code == 503
            await eventually(lambda: here.states() == [])

    asyncio.run(story())
