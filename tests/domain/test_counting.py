"""Requests in the ledger: each is paid for once and exactly, by the day on which it was counted, and caps see it."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.budget import cap_instant, reserve, used_on
from shared.domain.counting import KEPT_TALLIES, is_counted
from shared.domain.errors import CapReached
from shared.domain.money import HourlyRate, Micros, MillionRate
from shared.domain.names import Uid
from shared.domain.policy import Caps
from shared.domain.rates import Card, rate_for
from shared.domain.sizes import SIZES
from shared.domain.states import Kind, Reason, State
from shared.domain.usage import Interval, OpenInterval, Tally, Usage, close, day_key, of_requests
from tests.domain.builders_budget import committed
from tests.domain.builders_workstation import HOUR, ID, MINUTE, NOW, POLICY, REGION, UID
from tests.domain.model_world import World, a_new_world

FEE = MillionRate(400_000)
LIST = rate_for(Card.LIST, SIZES["light"], REGION)


def running(daily: int = POLICY.caps.daily) -> World:
    """On the list card."""
    policy = replace(POLICY, caps=Caps(daily=Micros(daily), monthly=Micros(daily)))
    return a_new_world(NOW, policy, rate=LIST).converge()


def renewed(world: World) -> World:
    """Reserved anew from now on, as a sweep does it all the time."""
    until = world.now + POLICY.reserves.ahead
    held = replace(world.user.reservations[ID], until=until)
    workstation = replace(world.workstation, not_after=until + POLICY.reserves.save_time)
    return replace(world, workstation=workstation, user=reserve(world.user, ID, held))


def ledger_of(world: World) -> list[tuple[str, int]]:
    return [(day_key(row.start), row.requests) for row in world.ledger]


def cost(rows: tuple[Interval, ...]) -> int:
    return sum(row.amount for row in rows)


@given(st.lists(st.integers(0, 3_000_000), max_size=8), st.integers(0, 10**16))
def test_however_requests_are_split_the_sum_is_the_exact_price(counts: list[int], before: int) -> None:
    """Over intervals of no length at all: the running total keeps what a floor leaves."""
    open_ = OpenInterval(
        usage=Usage.ACTIVE, rate=HourlyRate(1), start=NOW, epoch=1, n=1, accrued=before, fee=FEE
    )
    begun, rows = open_.session_cost(NOW), []
    for requests in counts:
        closed, open_ = close(replace(open_, requests=requests), UID, NOW, "running")
        rows.extend(closed)

    assert open_.session_requests == sum(row.requests for row in rows) == sum(counts)
    assert cost(tuple(rows)) == open_.session_cost(NOW) - begun
    assert 0 <= sum(counts) * 4 - 10 * cost(tuple(rows)) + 10 * (before % 3_600_000_000 > 0) <= 20


def test_counted_requests_are_in_the_cost_at_once_and_in_the_row_in_the_end() -> None:
    world = running().later(MINUTE)
    before = world.workstation.interval
    assert before

    counted = world.counted(10_000)
    open_ = counted.workstation.interval
    assert open_
    assert open_.cost(world.now) - before.cost(world.now) == 4_000
    stopped = counted.record(Kind.STOP_BEGUN, reason=Reason.USER).record(Kind.STOPPED)

    assert [row.requests for row in stopped.ledger] == [10_000]
    assert cost(stopped.ledger) == 91_200 // 60 + 4_000
    assert stopped.events[-1].cost == cost(stopped.ledger)


def test_a_session_knows_all_its_requests_and_the_next_one_none_of_them() -> None:
    world = running().counted(5).later(MINUTE).record(Kind.IDLED).counted(2)
    assert world.workstation.interval
    assert (world.workstation.interval.requests, world.workstation.interval.session_requests) == (2, 7)

    woken = world.record(Kind.STOP_BEGUN).record(Kind.STOPPED).later(MINUTE).admitted(Kind.WOKEN)
    assert woken.workstation.interval
    assert woken.workstation.interval.session_requests == 0


def test_a_tally_is_known_by_its_life_and_the_last_ones_are_kept() -> None:
    world = running()
    for number in range(KEPT_TALLIES + 1):
        world = world.counted(1, f"t{number}")
    found = world.workstation

    assert len(found.tallies) == KEPT_TALLIES
    assert is_counted(found, Tally(UID, f"t{KEPT_TALLIES}", 1))
    assert not is_counted(found, Tally(UID, "t0", 1))
    assert not is_counted(found, Tally(Uid("another"), f"t{KEPT_TALLIES}", 1))


@pytest.mark.mission("COST-02")
def test_each_day_pays_for_what_was_counted_on_it() -> None:
    """Three days open: whoever counts on a later one closes those before, and nothing of the price changes."""
    day = timedelta(days=1)
    world = renewed(running().counted(100).later(day)).counted(20)
    world = renewed(world.later(day)).counted(3)
    end = world.later(HOUR).record(Kind.STOP_BEGUN).record(Kind.STOPPED)

    assert [requests for _, requests in ledger_of(world)] == [100, 20]
    assert [requests for _, requests in ledger_of(end)] == [100, 20, 3]
    assert len({row.id for row in end.ledger}) == 3
    assert cost(end.ledger) == (91_200 * 49 * 10 + 123 * 4) // 10
    assert end.user.days == {
        row_day: cost((row,)) for (row_day, _), row in zip(ledger_of(end), end.ledger, strict=True)
    }


@pytest.mark.mission("COST-02")
@given(st.integers(1, 100), st.integers(0, 100))
def test_counting_late_makes_nothing_dearer_that_had_run_out(hours: int, gone: int) -> None:
    """Up to notAfter it is paid for; what is closed beyond could not be found to have ended before."""
    world = running()
    gone_time = world.now + min(gone, hours) * HOUR
    ends = [
        seen.later(hours * HOUR)
        .counted(requests)
        .later(HOUR)
        .record(Kind.STOP_BEGUN)
        .record(Kind.STOPPED, gone_time=gone_time)
        for seen, requests in ((world, 0), (world, 10_000))
    ]
    ran = max(gone_time, world.workstation.not_after or gone_time) - NOW

    assert cost(ends[1].ledger) == cost(ends[0].ledger) + 4_000
    assert sum((row.end - row.start for row in ends[1].ledger), timedelta(0)) == ran


def test_what_nothing_is_open_for_is_booked_with_the_record_that_knows_it() -> None:
    world = running().record(Kind.STOP_BEGUN).record(Kind.STOPPED)
    after = world.counted(101, "t1")

    assert is_counted(after.workstation, Tally(UID, "t1", 101))
    assert [(row.usage, row.requests) for row in after.ledger[len(world.ledger) :]] == [(Usage.REQUESTS, 101)]
    assert sum(after.user.days.values()) - sum(world.user.days.values()) == 41
    assert after.user.reservations == {}


def test_what_nothing_is_open_for_is_a_row_of_its_own_rounded_up() -> None:
    row = of_requests(Tally(UID, "t1", 101), 3, FEE, NOW)

    assert (row.id, row.usage, row.amount, row.requests) == (f"{UID}-requests-t1", Usage.REQUESTS, 41, 101)
    assert (row.start, row.end) == (NOW, NOW)


# --- caps ------------------------------------------------------------------------------------------------------


def test_requests_count_against_the_day_and_bring_its_cap_nearer() -> None:
    world = running().later(MINUTE)
    caps = world.policy.caps
    before, reached = used_on(world.user, world.now)[0], cap_instant(world.user, caps, world.now)

    after = world.counted(1_000_000)

    assert used_on(after.user, world.now)[0] - before == 400_000
    nearer = cap_instant(after.user, caps, world.now)
    assert reached
    assert nearer
    assert abs((reached - nearer) - HOUR * 400_000 / 91_200) < timedelta(seconds=1)


def test_where_money_is_short_the_reservation_ends_earlier_and_it_is_due_at_once() -> None:
    world = running(daily=40_000)
    held, not_after = world.user.reservations[ID], world.workstation.not_after
    assert not_after

    after = world.counted(30_000)

    shorter = after.user.reservations[ID]
    assert shorter.until < held.until
    assert after.workstation.not_after == shorter.until + POLICY.reserves.save_time
    assert after.workstation.due_at == world.now
    assert max(committed(after.user)[0].values()) <= 40_000
    assert after.converge().service.not_after == after.workstation.not_after  # type: ignore[union-attr]


def test_one_whose_money_is_gone_is_stopped_by_the_cap() -> None:
    stopping = running(daily=40_000).counted(100_000).converge().workstation

    assert (stopping.state, stopping.reason) == (State.STOPPING, Reason.DAILY_CAP)


def test_with_plenty_nothing_is_cut_short_and_nothing_is_due() -> None:
    world = running()
    after = world.counted(10_000)

    assert after.user.reservations[ID].until == world.user.reservations[ID].until
    assert (after.workstation.due_at, after.workstation.not_after) == (
        world.workstation.due_at,
        world.workstation.not_after,
    )


@pytest.mark.mission("COST-06", "COST-07")
@given(
    st.integers(35_000, 300_000),
    st.lists(st.tuples(st.integers(0, 50_000), st.timedeltas(timedelta(0), MINUTE)), max_size=30),
)
def test_what_is_spent_and_reserved_passes_a_cap_by_no_more_than_one_tally_costs(
    daily: int, windows: list[tuple[int, timedelta]]
) -> None:
    """With a sweep a minute. The tally, the time and what went before are each rounded up."""
    world, most = running(daily), 0
    for requests, time in windows:
        if world.workstation.interval:
            world = world.counted(requests).converge()
            most = max(most, requests * 2 // 5 + 3)
        days, months = committed(world.user)
        assert max(days.values(), default=0) <= daily + most
        assert max(months.values(), default=0) <= daily + most
        world = world.later(time).cleaned().converge()


# --- an instance that was replaced unseen ----------------------------------------------------------------------


def replaced(rested: timedelta, daily: int = POLICY.caps.daily) -> tuple[World, World]:
    world = running(daily).later(HOUR).record(Kind.IDLED).later(rested)
    since = max(world.now - POLICY.replacements.start, world.now - rested)
    return world, world.record(Kind.REPLACED, reservation=world._admission(since))


@given(st.timedeltas(timedelta(0), HOUR))
def test_the_start_of_what_replaced_an_idle_one_is_metered_as_active(rested: timedelta) -> None:
    """Ten seconds, or as long as it has rested: it was active before that anyway. The rows leave no gap."""
    before, after = replaced(rested)
    end = after.later(MINUTE).record(Kind.STOP_BEGUN).record(Kind.STOPPED)
    metered = min(rested, timedelta(seconds=10))

    assert after.workstation.interval
    assert after.workstation.interval.usage is Usage.ACTIVE
    assert before.now - after.workstation.interval.start == metered
    assert sum((row.end - row.start for row in end.ledger if row.usage is Usage.ACTIVE), timedelta(0)) == (
        HOUR + metered + MINUTE
    )
    assert all(earlier.end == later.start for earlier, later in pairwise(end.ledger))


def test_a_running_one_is_active_all_the_time() -> None:
    world = running().later(HOUR).record(Kind.REPLACED)

    assert world.ledger == ()
    assert world.workstation.interval
    assert world.workstation.interval.start == NOW


@given(st.integers(100_000, 300_000), st.timedeltas(timedelta(0), HOUR))
def test_what_its_start_costs_is_reserved_before(daily: int, rested: timedelta) -> None:
    try:
        _, after = replaced(rested, daily)
    except CapReached:
        return
    assert max(committed(after.user)[0].values()) <= daily
