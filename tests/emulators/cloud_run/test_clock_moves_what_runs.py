"""One move of the clock does what the time that it skips would have done: to instances, requests, queues and probes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.emulators.cloud_run.hosted import a_probe, a_revision, eventually, hosted


def test_a_quarter_of_an_hour_of_idleness_ends_the_instance_in_one_call(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            assert (await here.get()).status_code == 200
            await here.advance(minutes=14)
            assert len(here.states()) == 1
            await here.advance(minutes=2)
            assert here.states() == []
            assert (await here.get()).status_code == 200

    asyncio.run(story())


def test_the_last_request_counts_for_idleness_and_not_the_start(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            await here.get()
            for _ in range(3):
                await here.advance(minutes=10)
                await here.get()
            assert here.usage.count("instance_started") == 1

    asyncio.run(story())


def test_a_request_of_an_hour_is_cut_with_504(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(timeout=timedelta(hours=1)), 0, 1)
            asking = asyncio.create_task(here.get("wait?seconds=600"))
            await eventually(lambda: here.usage.count("request_began"))
            await here.advance(minutes=59)
            assert not asking.done()
            await here.advance(minutes=2)
            answer = await asking
            assert answer.status_code == 504
            assert "3600 s" in answer.text
            await eventually(lambda: here.in_flight() == 0)
            assert here.states() != []

    asyncio.run(story())


def test_a_websocket_is_cut_at_the_same_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(timeout=timedelta(hours=1)), 0, 1)
            async with connect(f"{here.uri.replace('http', 'ws')}/talk") as socket:
                await here.advance(minutes=59)
                await socket.send("still")
                assert await socket.recv() == "echo still"
                await here.advance(minutes=1)
                with pytest.raises(ConnectionClosed):
                    await socket.recv()

    asyncio.run(story())


def test_two_timers_of_one_move_ring_in_their_order(tmp_path: Path) -> None:
    """Who waits for room for 60 s gives up before the one who has the room is cut at 90 s."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(concurrency=1, timeout=timedelta(seconds=90)), 0, 1)
            first = asyncio.create_task(here.get("wait?seconds=600"))
            await eventually(lambda: here.usage.count("request_began"))
            second = asyncio.create_task(here.get())
            await eventually(lambda: here.site.autoscaler.waiting)
            await here.advance(hours=1)
            assert ((await first).status_code, (await second).status_code) == (504, 429)
            assert here.usage.count("request_began") == 1

    asyncio.run(story())


def test_and_in_the_other_order_the_one_who_waits_is_served(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(concurrency=1, timeout=timedelta(seconds=30)), 0, 1)
            first = asyncio.create_task(here.get("wait?seconds=600"))
            await eventually(lambda: here.usage.count("request_began"))
            second = asyncio.create_task(here.get())
            await eventually(lambda: here.site.autoscaler.waiting)
            await here.advance(seconds=35)
            assert ((await first).status_code, (await second).status_code) == (504, 200)

    asyncio.run(story())


def test_the_back_off_of_a_crash_loop_doubles_by_the_clock(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path, restart_delay=timedelta(seconds=8)) as here:
            here.apply(a_revision(env={"FAIL": "1"}, checked=False), 1, 1)
            await eventually(lambda: len(here.exits()) == 1)
            await here.advance(seconds=6)
            assert len(here.exits()) == 1
            await here.advance(seconds=3)
            assert len(here.exits()) == 2
            await here.advance(seconds=12)
            assert len(here.exits()) == 2
            await here.advance(seconds=5)
            assert len(here.exits()) == 3

    asyncio.run(story())


def test_a_move_leaves_a_process_the_time_to_save(tmp_path: Path) -> None:
    """The grace is real time, as the saving is; the move waits for it, so nobody pays for an hour of stopping."""

    async def story() -> None:
        async with hosted(tmp_path, grace=timedelta(seconds=10)) as here:
            here.apply(a_revision(env={"SAVE_SECONDS": "0.5"}), 0, 1)
            await here.get()
            await here.advance(hours=1)
            assert here.states() == []
            [log] = (tmp_path / "logs").rglob("*.log")
            assert "saved" in log.read_text()
            assert here.usage.time_of("instance_gone") - here.usage.time_of("instance_stopping") < 60

    asyncio.run(story())


def test_a_move_waits_for_an_instance_that_starts_on_the_way(tmp_path: Path) -> None:
    """A warm instance that had to be replaced within the hour is not taken for one that cannot start."""

    async def story() -> None:
        async with hosted(tmp_path, restart_delay=timedelta(seconds=20)) as here:
            here.apply(a_revision(), 1, 1)
            await eventually(lambda: here.usage.count("instance_ready"))
            here.site.autoscaler.instances[0].fail("an accident")
            await eventually(lambda: here.usage.count("instance_gone"))
            await here.advance(hours=1)
            assert here.usage.count("instance_ready") == 2
            assert here.exits() == ["an accident"]

    asyncio.run(story())


def test_what_never_listens_has_four_minutes_of_the_clock(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path, restart_delay=timedelta(hours=1)) as here:
            patient = a_probe(period=timedelta(minutes=4), failure_threshold=10)
            here.apply(a_revision(env={"MUTE": "1"}, startup=patient, checked=False), 1, 1)
            await eventually(lambda: here.site.autoscaler.instances[0].container)
            await here.advance(seconds=230)
            assert here.states() == ["STARTING"]
            await here.advance(seconds=11)
            assert here.exits() == ["The startup probe did not succeed within its allotted time."]

    asyncio.run(story())


def test_an_instance_starts_and_serves_while_the_clock_is_held(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.clock.hold()
            here.apply(a_revision(), 0, 1)
            assert (await here.get()).status_code == 200
            await eventually(lambda: here.states() == ["FROZEN"])
            await here.advance(minutes=15)
            assert here.states() == []

    asyncio.run(story())
