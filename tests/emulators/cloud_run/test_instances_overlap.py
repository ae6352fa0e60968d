"""A change of revision: the new one is ready before the old one goes, and what the old one works on is finished."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.emulators.cloud_run.hosted import Hosted, a_revision, eventually, hosted

NEXT = "svc-00002"


def revisions(here: Hosted) -> list[str]:
    return [instance.revision.name for instance in here.site.autoscaler.instances if instance.alive]


async def answering(here: Hosted) -> str:
    return str((await here.get()).json()["environment"]["K_REVISION"])


def test_the_old_revision_serves_until_the_new_one_is_ready(tmp_path: Path) -> None:
    """For a moment there are two instances, although one is the maximum: two writers, if they share anything."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 1, 1)
            assert await answering(here) == "svc-00001"
            here.apply(a_revision(NEXT, env={"START_SECONDS": "1"}), 1, 1)
            assert await answering(here) == "svc-00001"
            assert len(revisions(here)) == 2
            await eventually(lambda: here.usage.count("instance_ready") == 2)
            assert await answering(here) == NEXT
            await eventually(lambda: revisions(here) == [NEXT])
            names = here.usage.names()
            ready = [number for number, name in enumerate(names) if name == "instance_ready"]
            assert names.index("instance_stopping") > ready[1]

    asyncio.run(story())


def test_a_request_of_the_old_revision_is_finished_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 1, 1)
            await here.get()
            old = asyncio.create_task(here.get("wait?seconds=2"))
            await eventually(lambda: here.usage.count("request_began") == 2)
            here.apply(a_revision(NEXT), 1, 1)
            await eventually(lambda: here.usage.count("instance_ready") == 2)
            assert await answering(here) == NEXT
            assert sorted(revisions(here)) == ["svc-00001", NEXT]
            assert (await old).status_code == 200
            await eventually(lambda: revisions(here) == [NEXT])

    asyncio.run(story())


def test_a_request_of_the_old_revision_is_cut_at_its_own_timeout(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(timeout=timedelta(minutes=5)), 1, 1)
            await here.get()
            old = asyncio.create_task(here.get("wait?seconds=600"))
            await eventually(lambda: here.usage.count("request_began") == 2)
            here.apply(a_revision(NEXT, timeout=timedelta(hours=1)), 1, 1)
            await eventually(lambda: here.usage.count("instance_ready") == 2)
            await here.advance(minutes=6)
            assert (await old).status_code == 504
            await eventually(lambda: revisions(here) == [NEXT])

    asyncio.run(story())


def test_a_service_that_is_switched_off_ends_both(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 1, 1)
            await here.get()
            here.apply(a_revision(NEXT, env={"START_SECONDS": "1"}), 1, 1)
            await eventually(lambda: len(revisions(here)) == 2)
            here.apply(a_revision(NEXT, env={"START_SECONDS": "1"}), 0, 0, exact=True)
            assert revisions(here) == []
            await eventually(lambda: here.states() == [])

    asyncio.run(story())
