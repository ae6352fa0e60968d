"""The cron's arithmetic, told the time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.cloud_scheduler.cron import Cron, CronClock
from emulators.cloud_scheduler.jobs import RetryPolicy

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTELY = Cron("* * * * *", ZoneInfo("Etc/UTC"))
FIVE = Cron("*/5 * * * *", ZoneInfo("Etc/UTC"))
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("cron", "previous", "now", "due"),
    [
        (MINUTELY, NOON, NOON + SECOND, NOON + MINUTE),
        (FIVE, NOON, NOON + MINUTE, NOON + 5 * MINUTE),
        (MINUTELY, NOON, NOON + 61 * SECOND, NOON + MINUTE),
        (MINUTELY, NOON, NOON + 190 * SECOND, NOON + 3 * MINUTE),
        (FIVE, NOON, NOON + timedelta(hours=9, seconds=7), NOON + timedelta(hours=9)),
        (MINUTELY, NOON, NOON - timedelta(hours=1), NOON + MINUTE),
    ],
    ids=["next minute", "next fifth", "late", "three missed, one made up", "a long sleep", "clock set back"],
)
def test_the_next_run_is_the_latest_missed_or_else_the_coming_one(
    cron: Cron, previous: datetime, now: datetime, due: datetime
) -> None:
    assert cron.due(previous, now) == due


@given(seconds=st.floats(0, 600), previous=st.integers(0, 20))
def test_no_time_comes_twice(seconds: float, previous: int) -> None:
    """The next run is always after the one before, however the clocks stand."""
    before = NOON + previous * MINUTE
    assert FIVE.due(before, NOON + timedelta(seconds=seconds)) > before


def test_a_schedule_is_in_its_time_zone() -> None:
    rome = Cron("30 9 * * *", ZoneInfo("Europe/Rome"))
    assert rome.next_after(NOON) == datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("schedule", ["* * * *", "* * * * * *", "61 * * * *", "0 0 30 2 *", "every minute"])
def test_a_schedule_that_cloud_scheduler_would_not_take_is_refused(schedule: str) -> None:
    """Seconds too: the finest cron is a minute."""
    with pytest.raises(ValueError, match="schedule"):
        Cron(schedule, ZoneInfo("Etc/UTC")).next_after(NOON)


def test_a_short_minute_counts_from_the_start() -> None:
    """Two seconds after the start the cron's next full minute begins."""
    start = NOON + timedelta(seconds=41)
    clock = CronClock(start, timedelta(seconds=2))
    assert clock.cron_time(start) == NOON
    assert clock.cron_time(start + 2 * SECOND) == NOON + MINUTE
    assert clock.real_time(NOON + 5 * MINUTE) == start + 10 * SECOND


def test_a_full_minute_is_the_wall_clock() -> None:
    clock = CronClock(NOON + timedelta(seconds=41), MINUTE)
    assert clock.cron_time(NOON + timedelta(days=1)) == NOON + timedelta(days=1)
    assert clock.real_time(NOON + MINUTE) == NOON + MINUTE


def test_back_off_doubles_then_grows_evenly_up_to_its_limit() -> None:
    policy = RetryPolicy(5, 10 * SECOND, timedelta(seconds=150), max_doublings=2)
    waits = [policy.backoff(failures).total_seconds() for failures in range(1, 7)]
    assert waits == [10, 20, 40, 80, 120, 150]
