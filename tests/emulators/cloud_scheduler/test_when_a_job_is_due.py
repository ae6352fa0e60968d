"""The cron's arithmetic and the back-off's, told the time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.cloud.scheduler_v1.types import RetryConfig
from hypothesis import given
from hypothesis import strategies as st

from emulators.cloud_scheduler.backoff import next_wait
from emulators.cloud_scheduler.cron import Cron, CronClock, EnglishScheduleError

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
UTC_ZONE, ROME = ZoneInfo("Etc/UTC"), ZoneInfo("Europe/Rome")
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def due(schedule: str, start: datetime, count: int, zone: ZoneInfo = UTC_ZONE) -> list[str]:
    """The next times, by the wall clock of the zone."""
    cron, moment, times = Cron(schedule, zone), start, []
    for _ in range(count):
        moment = cron.next_after(moment)
        times.append(moment.astimezone(zone).isoformat(timespec="minutes"))
    return times


@pytest.mark.parametrize(
    ("schedule", "first", "second"),
    [
        ("* * * * *", "2026-11-21T12:01+00:00", "2026-11-21T12:02+00:00"),
        ("*/5 * * * *", "2026-11-21T12:05+00:00", "2026-11-21T12:10+00:00"),
        ("10/20 3 * * *", "2026-11-22T03:10+00:00", "2026-11-22T03:30+00:00"),
        ("0 8-10,22 * * *", "2026-11-21T22:00+00:00", "2026-11-22T08:00+00:00"),
        ("0 0 * * 7", "2026-11-22T00:00+00:00", "2026-11-29T00:00+00:00"),
        ("0 0 * * sun", "2026-11-22T00:00+00:00", "2026-11-29T00:00+00:00"),
        ("0 9 * JAN-MAR/2 *", "2027-01-01T09:00+00:00", "2027-01-02T09:00+00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"),
        ("0 0 1 * SAT", "2026-11-28T00:00+00:00", "2026-12-01T00:00+00:00"),
        ("0 0 1 * *", "2026-12-01T00:00+00:00", "2027-01-01T00:00+00:00"),
    ],
)
def test_a_schedule_comes_due(schedule: str, first: str, second: str) -> None:
    assert due(schedule, NOON, 2) == [first, second]


def test_a_schedule_is_in_its_time_zone() -> None:
    assert due("30 9 * * *", NOON, 1, ROME) == ["2026-11-22T09:30+01:00"]


def test_a_time_that_the_wall_clock_skips_does_not_come() -> None:
    """On 29 March 2026 Rome goes from 2:00 to 3:00."""
    saturday = datetime(2026, 3, 28, 12, tzinfo=ROME)
    assert due("30 2 * * *", saturday, 1, ROME) == ["2026-03-30T02:30+02:00"]
    hours = due("0 1-4 * * *", saturday, 3, ROME)
    assert hours == ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"]


def test_a_time_that_the_wall_clock_shows_twice_comes_twice() -> None:
    """On 25 October 2026 Rome goes from 3:00 back to 2:00."""
    saturday = datetime(2026, 10, 24, 12, tzinfo=ROME)
    assert due("30 2 * * *", saturday, 3, ROME) == [
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:30+01:00",
        "2026-10-26T02:30+01:00",
    ]


def test_a_midnight_that_there_is_not_hides_no_other_time() -> None:
    """In Santiago the clocks skip from midnight to 1:00."""
    santiago = ZoneInfo("America/Santiago")
    friday = datetime(2026, 9, 4, 12, tzinfo=santiago)
    expected = ["2026-09-05T01:30-04:00", "2026-09-06T01:30-03:00"]
    assert due("30 0,1 5,6 9 *", friday, 3, santiago)[1:] == expected


@given(
    seconds=st.integers(0, 400 * 86400),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from([ROME, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), UTC_ZONE]),
)
def test_the_next_time_fits_and_none_before_it_does(
    seconds: int, minute: int, hour: int, zone: ZoneInfo
) -> None:
    start = NOON + timedelta(seconds=seconds)
    found = Cron(f"{minute} {hour} * * *", zone).next_after(start)
    assert found > start
    moments = [
        start.replace(second=0) + count * MINUTE for count in range(1, int((found - start) / MINUTE) + 2)
    ]
    fitting = [m for m in moments if (m.astimezone(zone).hour, m.astimezone(zone).minute) == (hour, minute)]
    assert fitting[0] == found


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * *",
        "* * * * * *",
        "61 * * * *",
        "0 0 30 2 *",
        "0 0 L * *",
        "0 0 * * 1#2",
        "5-1 * * * *",
        "*/0 * * * *",
        "*/00 * * * *",
        "\N{ARABIC-INDIC DIGIT THREE} * * * *",
        "@daily",
        "",
    ],
)
def test_a_schedule_that_cloud_scheduler_would_not_take_is_refused(schedule: str) -> None:
    """Seconds too: the finest cron is a minute."""
    with pytest.raises(ValueError, match=r"\S"):
        Cron(schedule, UTC_ZONE)


def test_the_english_like_format_is_told_from_nonsense() -> None:
    with pytest.raises(EnglishScheduleError):
        Cron("every 5 minutes", UTC_ZONE)


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


def retries(**fields: Any) -> Any:
    defaults = {"min_backoff_duration": 5 * SECOND, "max_backoff_duration": 3600 * SECOND, "max_doublings": 5}
    return RetryConfig.pb(RetryConfig(defaults | fields))


def test_back_off_doubles_then_grows_evenly_up_to_its_limit() -> None:
    """The example that Google gives."""
    config = retries(
        retry_count=5,
        max_retry_duration=timedelta(days=1),
        min_backoff_duration=10 * SECOND,
        max_backoff_duration=300 * SECOND,
        max_doublings=3,
    )
    waits = [next_wait(config, failures, timedelta()) for failures in range(1, 9)]
    assert waits == [seconds * SECOND for seconds in (10, 20, 40, 80, 160, 240, 300, 300)]


def test_without_a_count_and_a_limit_nothing_is_tried_again() -> None:
    assert next_wait(retries(), 1, timedelta()) is None


def test_both_limits_have_to_be_reached() -> None:
    config = retries(retry_count=1, max_retry_duration=60 * SECOND)
    assert next_wait(config, 1, 100 * SECOND) == 5 * SECOND
    assert next_wait(config, 2, 30 * SECOND) == 10 * SECOND
    assert next_wait(config, 2, 55 * SECOND) is None


def test_huge_settings_are_no_trouble() -> None:
    config = retries(retry_count=5, max_doublings=2**31 - 1, max_backoff_duration=timedelta(days=10**6))
    assert next_wait(config, 5, timedelta()) == 80 * SECOND
    long = retries(max_retry_duration=timedelta(days=10**8), max_doublings=2**31 - 1)
    assert next_wait(long, 10**6, timedelta()) == 3600 * SECOND
