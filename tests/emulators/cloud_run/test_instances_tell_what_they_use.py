"""What a bill is made of is told once and in its order: whatever an instance goes through, and whatever is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from websockets.asyncio.client import connect

from emulators.cloud_run.model.scaling import InstanceRange
from emulators.faults.rule import Effect, Rule
from tests.emulators.cloud_run.hosted import SERVICE, a_revision, eventually, hosted

LIFE = [
    "instance_started",
    "instance_ready",
    "request_began",
    "request_ended",
    "instance_stopping",
    "instance_gone",
]


def test_a_life_from_its_start_to_its_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(cpu_millis=2000), 0, 1)
            await here.get()
            await here.advance(minutes=15)
            assert here.usage.names() == LIFE
            [given] = here.usage.allocations()
            assert (given.service_id, given.revision, given.milli_cpu) == (SERVICE, "svc-00001", 2000)
            assert given.memory_bytes == 512 << 20
            assert given.cpu_idle
            assert {fact[1] for fact in here.usage.facts[1:]} == {given.instance}

    asyncio.run(story())


def test_times_are_those_of_the_clock(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            await here.get()
            await here.advance(minutes=20)
            idle = here.usage.time_of("instance_stopping") - here.usage.time_of("request_ended")
            assert 900 <= idle < 910

    asyncio.run(story())


def test_a_websocket_is_one_request_for_as_long_as_it_is_open(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            async with connect(f"{here.uri.replace('http', 'ws')}/talk") as socket:
                for _ in range(3):
                    await socket.send("x")
                    await socket.recv()
                assert here.usage.count("request_began") == 1
                assert here.usage.count("request_ended") == 0
            await eventually(lambda: here.usage.count("request_ended") == 1)

    asyncio.run(story())


def test_what_no_instance_has_seen_is_not_told(tmp_path: Path) -> None:
    """Neither what waited in vain, nor what found the service switched off, nor what a fault answered."""

    async def story() -> None:
        async with hosted(tmp_path, queue_timeout=timedelta(seconds=0.3)) as here:
            here.apply(a_revision(concurrency=1), 1, 1)
            await eventually(lambda: here.usage.count("instance_ready"))
            first = asyncio.create_task(here.get("wait?seconds=2"))
            await eventually(lambda: here.usage.count("request_began"))
            assert (await here.get()).status_code == 429
            here.gate.set(Rule("outage", Effect.ERROR))
            assert (await here.get()).status_code == 503
            here.gate.clear()
            assert (await first).status_code == 200
            here.apply(a_revision(), 0, 0, exact=True)
            assert (await here.get()).status_code == 503
            assert here.usage.count("request_began") == 1

    asyncio.run(story())


def test_requests_of_an_instance_that_dies_end_before_it_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            asking = [asyncio.create_task(here.get("wait?seconds=60")) for _ in range(3)]
            await eventually(lambda: here.usage.count("request_began") == 3)
            here.site.autoscaler.instances[0].fail("an accident")
            assert {(await answer).status_code for answer in asking} == {503}
            await eventually(lambda: here.states() == [])
            end = ["request_ended", "request_ended", "request_ended", "instance_gone"]
            assert here.usage.names()[-4:] == end
            assert here.usage.count("request_ended") == 3
            assert here.usage.count("instance_stopping") == 0

    asyncio.run(story())


def test_an_instance_that_never_started_is_told_as_well(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(env={"FAIL": "1"}), 0, 1)
            assert (await here.get()).status_code == 503
            assert here.usage.names()[:2] == ["instance_started", "instance_gone"]

    asyncio.run(story())


def test_the_kept_minimum_is_told_when_it_changes_and_when_it_is_taken_up_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            revision = a_revision(checked=False)
            here.site.autoscaler.adopt(revision, InstanceRange(1, 1))
            here.apply(revision, 1, 3)
            here.apply(revision, 2, 2, exact=True)
            here.apply(revision, 0, 3)
        told = [fact[1:] for fact in here.usage.facts if fact[0] == "minimum_set"]
        assert told == [(SERVICE, 1), (SERVICE, 2), (SERVICE, 0)]

    asyncio.run(story())


def test_the_end_of_the_emulator_ends_what_was_open(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path, grace=timedelta(seconds=1)) as here:
            here.apply(replace(a_revision(), cpu_idle=False), 1, 1)
            await eventually(lambda: here.usage.count("instance_ready"))
            asking = asyncio.create_task(here.get("wait?seconds=60"))
            await eventually(lambda: here.usage.count("request_began"))
        await asyncio.gather(asking, return_exceptions=True)
        assert here.usage.count("request_ended") == here.usage.count("instance_gone") == 1
        assert [fact[1:] for fact in here.usage.facts if fact[0] == "minimum_set"][-1] == (SERVICE, 0)

    asyncio.run(story())


def test_what_could_not_be_launched_is_not_told(tmp_path: Path) -> None:
    """Nobody pays for a container that there never was."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(checked=False), 0, 1)
            here.gate.set(Rule("no machine", Effect.ERROR, method="Start"))
            assert (await here.get()).status_code == 503
            assert here.usage.facts == []

    asyncio.run(story())


def test_an_instance_that_is_stopped_while_it_starts_is_told_in_order(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(checked=False), 1, 1)
            here.apply(a_revision(checked=False), 0, 0, exact=True)
            await eventually(lambda: here.states() == [])
            told = [name for name in here.usage.names() if name != "minimum_set"]
            assert told in ([], ["instance_started", "instance_stopping", "instance_gone"])

    asyncio.run(story())
