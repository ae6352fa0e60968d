"""The emulators' clock: real time until it is moved, and every timer at its own time on the way."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulators.clock import Clock

HOUR = timedelta(hours=1)


def run(story):
    return asyncio.run(story)


def test_it_tells_real_time_until_it_is_moved():
    async def story() -> None:
        clock = Clock()
        assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
        await clock.advance(HOUR)
        assert timedelta(minutes=59) < clock.now() - datetime.now(UTC) < timedelta(minutes=61)

    run(story())


def test_a_timer_that_sets_the_next_one_rings_at_every_step_of_one_move():
    async def story() -> list[float]:
        clock, rung = Clock(), []
        clock.hold()
        began = clock.time()

        async def every_five_minutes() -> None:
            while True:
                await clock.sleep(300)
                rung.append(clock.time() - began)

        task = asyncio.create_task(every_five_minutes())
        await asyncio.sleep(0)
        await clock.advance(HOUR)
        task.cancel()
        return rung

    assert run(story()) == pytest.approx([300 * step for step in range(1, 13)])


def test_timers_of_one_moment_ring_in_the_order_in_which_they_were_set():
    async def story() -> list[str]:
        clock, rung = Clock(), []
        clock.hold()
        due = clock.time() + 10
        for name in "abc":
            clock.call_at(due, lambda name=name: rung.append(name))
        clock.call_at(due - 1, lambda: rung.append("first"))
        await clock.advance(HOUR)
        return rung

    assert run(story()) == ["first", "a", "b", "c"]


def test_a_cancelled_timer_never_rings():
    async def story() -> list[int]:
        clock, rung = Clock(), []
        timer = clock.call_later(10, lambda: rung.append(1))
        timer.cancel()
        await clock.advance(HOUR)
        return rung

    assert run(story()) == []


def test_timers_ring_in_their_order_among_many_that_were_cancelled():
    async def story() -> list[int]:
        clock, rung = Clock(), []
        clock.hold()
        for second in range(5000):
            timer = clock.call_later(5000 - second, lambda second=second: rung.append(5000 - second))
            if second % 1000:
                timer.cancel()
        await clock.advance(2 * HOUR)
        return rung

    assert run(story()) == [1000, 2000, 3000, 4000, 5000]


def test_a_move_ends_what_has_run_out_of_its_time():
    async def story() -> None:
        clock = Clock()

        async def patient() -> None:
            async with clock.timeout(3600):
                await asyncio.Event().wait()

        waiting = asyncio.create_task(patient())
        await asyncio.sleep(0)
        await clock.advance(timedelta(minutes=59))
        assert not waiting.done()
        await clock.advance(timedelta(minutes=2))
        with pytest.raises(TimeoutError):
            await waiting

    run(story())


def test_what_is_done_in_time_is_not_ended_later():
    async def story() -> str:
        clock = Clock()
        async with clock.timeout(60):
            await asyncio.sleep(0)
        await clock.advance(HOUR)
        return "done"

    assert run(story()) == "done"


def test_a_held_clock_stands_still_and_goes_on_from_there():
    async def story() -> None:
        clock = Clock()
        clock.hold()
        moment, time = clock.now(), clock.time()
        rung = asyncio.Event()
        clock.call_later(0.001, rung.set)
        await asyncio.sleep(0.01)
        assert (clock.now(), clock.time()) == (moment, time)
        assert not rung.is_set()
        clock.go_on()
        await asyncio.wait_for(rung.wait(), 10)
        assert clock.now() >= moment

    run(story())


def test_timers_ring_by_themselves_when_real_time_has_come():
    async def story() -> None:
        clock = Clock()
        await clock.advance(HOUR)
        await asyncio.wait_for(clock.sleep(0.01), 10)

    run(story())


def test_a_timer_that_a_move_has_brought_nearer_rings_sooner():
    async def story() -> None:
        clock = Clock()
        rung = asyncio.Event()
        clock.call_later(3600, rung.set)
        await clock.advance(timedelta(seconds=3599.9))
        await asyncio.wait_for(rung.wait(), 10)

    run(story())


def test_a_move_waits_for_pinned_work_before_time_goes_on():
    async def story() -> list[str]:
        clock, told = Clock(), []

        async def ending_process() -> None:
            with clock.pinned():
                await asyncio.sleep(0.05)
                told.append("ended")

        clock.call_later(10, lambda: tasks.append(asyncio.create_task(ending_process())))
        clock.call_later(20, lambda: told.append("later"))
        tasks: list[asyncio.Task[None]] = []
        await clock.advance(HOUR)
        return told

    assert run(story()) == ["ended", "later"]


def test_a_move_does_not_wait_for_ever():
    async def story() -> None:
        clock = Clock()

        async def mute_process() -> None:
            with clock.pinned(longest=0.05):
                await asyncio.Event().wait()

        task = asyncio.create_task(mute_process())
        await asyncio.wait_for(clock.advance(HOUR), 10)
        task.cancel()

    run(story())


def test_a_restarted_emulator_is_as_far_ahead_as_before(tmp_path: Path):
    async def move() -> None:
        await Clock(tmp_path / "clock.json").advance(HOUR)

    async def look() -> timedelta:
        return Clock(tmp_path / "clock.json").ahead

    run(move())
    assert run(look()) == pytest.approx(HOUR, abs=timedelta(seconds=5))


def test_a_move_that_is_given_up_stays_where_it_has_come_to(tmp_path: Path):
    async def story() -> timedelta:
        clock = Clock(tmp_path / "clock.json")

        async def every_hour() -> None:
            while True:
                await clock.sleep(3600)

        ticking = asyncio.create_task(every_hour())
        moving = asyncio.create_task(clock.advance(timedelta(days=365 * 50)))
        while clock.ahead < timedelta(days=1):  # noqa: ASYNC110 - turn by turn, as the move itself
            await asyncio.sleep(0)
        moving.cancel()
        await asyncio.wait({moving})
        ticking.cancel()
        kept = Clock(tmp_path / "clock.json").ahead
        assert abs(kept - clock.ahead) < timedelta(seconds=5)
        return kept

    assert timedelta(days=1) <= run(story()) < timedelta(days=365 * 50)
