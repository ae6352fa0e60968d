"""Which times are billed, case by case."""

from __future__ import annotations

from emulators.cloud_run.meter.facts import Fact, Kind
from emulators.cloud_run.meter.history import recall
from emulators.cloud_run.meter.prices import Item
from emulators.cloud_run.meter.spans import Basis, spans
from tests.emulators.cloud_run.meter_facts import (
    SECOND,
    SERVICE,
    Course,
    allocation,
    billed,
    history,
)

MILLI = 1000


def seen(told, basis: Basis, now: int | None = None) -> list[tuple[str, int, int]]:
    """Instance, start and end of the spans of a basis, in milliseconds."""
    found = spans(told, SERVICE, told.latest if now is None else now)
    return [
        (span.allocation.instance, span.start // MILLI, span.end // MILLI)
        for span in found
        if span.basis is basis
    ]


def test_requests_that_overlap_are_counted_once() -> None:
    told = history(Course(allocation(), requests=[(1 * SECOND, 3 * SECOND), (2 * SECOND, 4 * SECOND)]))

    assert seen(told, Basis.ACTIVE) == [("i1", 1000, 4000)]
    assert billed(told).quantity(Item.REQUESTS) == 2


def test_startup_and_shutdown_are_active_and_the_rest_between_is_free() -> None:
    told = history(Course(allocation(), 0, 2 * SECOND, stopping=10 * SECOND, gone=12 * SECOND))

    assert seen(told, Basis.ACTIVE) == [("i1", 0, 2000), ("i1", 10_000, 12_000)]
    assert seen(told, Basis.IDLE_MINIMUM) == []


def test_a_start_that_fails_is_active_to_its_end() -> None:
    assert seen(history(Course(allocation(), 0, None, gone=3 * SECOND)), Basis.ACTIVE) == [("i1", 0, 3000)]


def test_a_stretch_is_rounded_up_to_100_ms_right_after_it() -> None:
    told = history(
        Course(allocation(), requests=[(SECOND, SECOND + 1), (2 * SECOND, 2 * SECOND + 100 * MILLI)])
    )

    assert seen(told, Basis.ACTIVE) == [("i1", 1000, 1100), ("i1", 2000, 2100)]


def test_no_moment_is_billed_twice_where_a_rounding_meets_the_next_request() -> None:
    short = [(SECOND + 20 * MILLI * n, SECOND + 20 * MILLI * n + 5 * MILLI) for n in range(10)]

    assert seen(history(Course(allocation(), requests=short)), Basis.ACTIVE) == [("i1", 1000, 1200)]


def test_what_is_open_counts_to_the_end_of_its_100_ms() -> None:
    told = history(Course(allocation(), requests=[(SECOND, None)]))

    assert seen(told, Basis.ACTIVE, now=SECOND + 10 * MILLI) == [("i1", 1000, 1100)]


def test_a_websocket_of_a_day_is_active_for_a_day() -> None:
    day = 86_400 * SECOND

    assert (
        billed(history(Course(allocation(), requests=[(0, day)]))).quantity(Item.ACTIVE_CPU) == 86_400 * 10**9
    )


def test_a_liveness_probe_is_active_and_has_no_fee() -> None:
    told = recall(
        [
            Fact(0, Kind.STARTED, "i1", allocation()),
            Fact(0, Kind.READY, "i1"),
            Fact(SECOND, Kind.PROBE_BEGAN, "i1"),
            Fact(SECOND + 1, Kind.PROBE_ENDED, "i1"),
        ]
    )

    assert seen(told, Basis.ACTIVE) == [("i1", 1000, 1100)]
    assert billed(told).quantity(Item.REQUESTS) == 0


def test_an_idle_instance_above_the_minimum_is_free_and_the_oldest_is_the_one_that_is_kept() -> None:
    told = history(
        Course(allocation("old"), 0, 0), Course(allocation("new"), SECOND, SECOND), minimums=[(0, 1)]
    )

    assert seen(told, Basis.IDLE_MINIMUM, now=10 * SECOND) == [("old", 0, 10_000)]


def test_an_instance_that_serves_fills_a_place_of_the_minimum() -> None:
    """min-instances: with 10 and 6 active, 4 are idle minimum instances."""
    courses = [
        Course(allocation(f"i{n:02d}"), requests=[(0, 9 * SECOND)] if n < 6 else []) for n in range(12)
    ]
    told = history(*courses, minimums=[(0, 10)])

    assert [name for name, _, _ in seen(told, Basis.IDLE_MINIMUM)] == ["i06", "i07", "i08", "i09"]


def test_a_minimum_that_is_changed_holds_from_then_on() -> None:
    told = history(Course(allocation()), minimums=[(2 * SECOND, 1), (5 * SECOND, 0), (6 * SECOND, 1)])

    assert seen(told, Basis.IDLE_MINIMUM, now=7 * SECOND) == [("i1", 2000, 5000), ("i1", 6000, 7000)]


def test_instance_based_billing_takes_the_whole_life_and_a_minute_at_least() -> None:
    short = Course(allocation("short", cpu_idle=False), 0, SECOND, stopping=2 * SECOND, gone=3 * SECOND)
    long = Course(allocation("long", cpu_idle=False), 0, SECOND, gone=100 * SECOND + 1)
    told = history(short, long, minimums=[(0, 1)])

    assert sorted(seen(told, Basis.INSTANCE)) == [("long", 0, 100_100), ("short", 0, 60_000)]
    assert seen(told, Basis.ACTIVE) == []
    assert seen(told, Basis.IDLE_MINIMUM) == []


def test_an_instance_that_dies_takes_its_open_requests_along() -> None:
    told = history(Course(allocation(), requests=[(SECOND, 9 * SECOND)], gone=2 * SECOND), minimums=[(0, 0)])

    assert seen(told, Basis.ACTIVE) == [("i1", 1000, 2000)]


def test_what_a_killed_emulator_left_open_ends_at_the_latest_time_it_knew() -> None:
    told = recall(
        [
            Fact(0, Kind.STARTED, "i1", allocation()),
            Fact(0, Kind.READY, "i1"),
            Fact(SECOND, Kind.BEGAN, "i1"),
            Fact(6 * SECOND, Kind.ALIVE),
            Fact(900 * SECOND, Kind.RESTARTED),
        ]
    )

    assert seen(told, Basis.ACTIVE) == [("i1", 1000, 6000)]


def test_a_minimum_of_a_killed_emulator_holds_no_longer_than_it_did() -> None:
    """The next one says what it keeps, unless that is nothing."""
    told = recall(
        [
            Fact(0, Kind.MINIMUM, SERVICE, minimum=1),
            Fact(SECOND, Kind.RESTARTED),
            Fact(2 * SECOND, Kind.STARTED, "i2", allocation("i2")),
            Fact(3 * SECOND, Kind.READY, "i2"),
        ]
    )

    assert seen(told, Basis.IDLE_MINIMUM, now=9 * SECOND) == []


def test_a_request_within_the_shutdown_changes_nothing() -> None:
    told = history(
        Course(allocation(), requests=[(3 * SECOND, 4 * SECOND)], stopping=2 * SECOND, gone=9 * SECOND)
    )

    assert seen(told, Basis.ACTIVE) == [("i1", 2000, 9000)]


def test_a_start_that_is_stopped_before_it_is_ready_is_active_to_its_end() -> None:
    told = history(Course(allocation(), 0, None, stopping=2 * SECOND, gone=3 * SECOND))

    assert seen(told, Basis.ACTIVE) == [("i1", 0, 3000)]


def test_a_clock_that_goes_back_shortens_nothing() -> None:
    told = recall(
        [
            Fact(5 * SECOND, Kind.STARTED, "i1", allocation()),
            Fact(4 * SECOND, Kind.READY, "i1"),
            Fact(7 * SECOND, Kind.BEGAN, "i1"),
            Fact(6 * SECOND, Kind.ENDED, "i1"),
        ]
    )

    assert seen(told, Basis.ACTIVE) == []
