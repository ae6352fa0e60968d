"""Rates, amounts and intervals: the sources' examples to the micro-dollar, and sums that no split can change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import Accrued, HourlyRate, Micros, accrue, affords, ceil_amount, floor_amount, usd
from shared.domain.rates import Card, rate_for
from shared.domain.sizes import SIZES
from shared.domain.states import Kind, State
from shared.domain.usage import Interval, OpenInterval, Usage, close, days_of, next_day, next_month
from tests.domain.builders_workstation import HOUR, MICROSECOND, MINUTE, NOW, POLICY, REGION, UID
from tests.domain.model_world import a_new_world

MOMENTS = st.timedeltas(timedelta(0), timedelta(days=3 * 365)).map(
    lambda after: datetime(2026, 1, 1, tzinfo=UTC) + after
)
SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=70))
HOURLY = st.integers(min_value=1, max_value=2_000_000).map(HourlyRate)


def amount(image: str, duration: timedelta) -> Micros:
    """What an image costs that runs for `duration`, on the flat card."""
    rate = rate_for(Card.FLAT, SIZES["light"], REGION, image).active
    rows, _ = close(an_interval(rate), UID, NOW + duration, "running")
    return total(rows)


def an_interval(rate: HourlyRate, start: datetime = NOW) -> OpenInterval:
    return OpenInterval(usage=Usage.ACTIVE, rate=rate, start=start, epoch=1, n=1)


def total(rows: tuple[Interval, ...]) -> Micros:
    return Micros(sum(row.amount for row in rows))


# --- the sources' figures --------------------------------------------------------------------------------------


@pytest.mark.mission("COST-02", "COST-03")
def test_two_minutes_of_alpine_are_a_thirtieth_of_a_cent() -> None:
    """$0.01 * 2/60 = $0.000333...: 333 micro-dollars are booked, never a third more."""
    assert amount("alpine", 2 * MINUTE) == 333
    assert usd(amount("alpine", 2 * MINUTE)) == "$0.000333"


@pytest.mark.mission("COST-02", "COST-03")
def test_two_hours_of_ubuntu_are_eight_cents() -> None:
    assert usd(amount("ubuntu", 2 * HOUR)) == "$0.08"


@pytest.mark.mission("COST-01")
def test_the_flat_card_is_the_sources() -> None:
    for size in SIZES.values():
        rate = rate_for(Card.FLAT, size, REGION)
        assert (usd(Micros(rate.active)), usd(Micros(rate.idle))) == ("$0.05", "$0.01")


@pytest.mark.mission("COST-01", "COST-04")
def test_four_hours_running_two_idle_and_eighteen_stopped_cost_22_cents_not_120() -> None:
    """The sources' day, lived through the transitions; always on it would have cost $1.20."""
    morning = datetime(2026, 3, 10, 6, tzinfo=UTC)
    started = a_new_world(morning, POLICY).converge()
    idle = started.later(4 * HOUR).record(Kind.IDLED)
    stopping = idle.later(2 * HOUR).record(Kind.STOP_BEGUN)
    stopped = stopping.record(Kind.STOPPED)

    end = stopped.later(18 * HOUR)

    assert end.workstation.interval is None
    assert usd(total(end.ledger)) == "$0.22"
    assert sum(end.user.days.values()) == sum(end.user.months.values()) == 220_000
    assert usd(floor_amount(accrue(started.workstation.rate.active, morning, morning + 24 * HOUR))) == "$1.20"


@pytest.mark.mission("COST-01", "RES-02")
@pytest.mark.parametrize(
    ("size", "active", "idle"),
    [
        ("light", 90_900, 13_500),
        ("medium", 95_400, 18_000),
        ("heavy", 190_800, 36_000),
        ("ml", 417_600, 108_000),
    ],
)
def test_the_list_card_is_cloud_runs_price_of_the_size(size: str, active: int, idle: int) -> None:
    """One vCPU-second $0.000024 active, $0.0000025 idle; a GiB-second $0.0000025: the published table.

    And, while it is active, the fee for 750 calls of the control plane's own an hour.
    """
    rate = rate_for(Card.LIST, SIZES[size], REGION)

    assert (rate.active, rate.idle, rate.requests) == (active + 300, idle, 400_000)


@pytest.mark.mission("COST-01")
@pytest.mark.parametrize("region", ["europe-west3", "asia-south1", "nowhere-1"])
@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_region_that_is_not_known_to_be_of_tier_1_costs_two_fifths_more(size: str, region: str) -> None:
    """Also one that the sources put in both tiers, and one that there was not yet: never below Google."""
    first, other = (rate_for(Card.LIST, SIZES[size], each) for each in (REGION, region))

    assert 5 * (other.active - 300) >= 7 * (first.active - 300) > 5 * (other.active - 301)
    assert 5 * other.idle >= 7 * first.idle > 5 * (other.idle - 1)
    assert (other.requests, first.version, other.version) == (400_000, "2026-10-09/tier1", "2026-10-09/tier2")


@pytest.mark.parametrize("image", ["alpine", "ubuntu"])
def test_what_google_asks_knows_no_images(image: str) -> None:
    """An image's own rate is the flat card's; on the list card it would be below the bill."""
    plain = rate_for(Card.LIST, SIZES["light"], REGION)

    assert rate_for(Card.LIST, SIZES["light"], REGION, image) == plain
    assert rate_for(Card.FLAT, SIZES["light"], REGION, image).active < plain.active


def test_on_the_flat_card_requests_are_free() -> None:
    """It has one price, of the sources'; what Google asks for is the list card's."""
    assert rate_for(Card.FLAT, SIZES["light"], REGION).requests == 0


@given(
    st.sampled_from(Card),
    st.sampled_from(sorted(SIZES)),
    st.sampled_from([REGION, "europe-west3"]),
    st.sampled_from(["", "alpine", "ubuntu", "python"]),
)
def test_idle_never_costs_more_than_active(card: Card, size: str, region: str, image: str) -> None:
    rate = rate_for(card, SIZES[size], region, image)

    assert 0 < rate.idle <= rate.active


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000001"),
        (1_500, "$0.0015"),
        (10_000, "$0.01"),
        (5_000_000, "$5.00"),
        (-220_000, "-$0.22"),
        (1_234_567_800, "$1234.5678"),
    ],
)
def test_people_read_amounts_with_two_decimals_or_as_many_as_there_are(micros: int, text: str) -> None:
    assert usd(Micros(micros)) == text


# --- arithmetic ------------------------------------------------------------------------------------------------


@given(HOURLY, MOMENTS, SPANS)
def test_an_amount_is_the_floor_of_the_exact_price_and_a_reservation_its_ceiling(
    rate: HourlyRate, start: datetime, span: timedelta
) -> None:
    exact = Fraction(rate) * Fraction(span // MICROSECOND, 3_600_000_000)

    accrued = accrue(rate, start, start + span)

    assert floor_amount(accrued) == exact.numerator // exact.denominator
    assert 0 <= ceil_amount(accrued) - exact < 1


@given(HOURLY, MOMENTS, SPANS)
def test_nothing_accrues_backwards(rate: HourlyRate, start: datetime, span: timedelta) -> None:
    assert accrue(rate, start, start - span) == 0


@given(st.integers(min_value=-10, max_value=50_000_000), HOURLY)
def test_what_an_amount_affords_costs_no_more_and_a_microsecond_longer_would(
    amount: int, rate: HourlyRate
) -> None:
    reach = affords(Micros(amount), rate)

    assert ceil_amount(accrue(rate, NOW, NOW + reach)) <= max(0, amount)
    assert accrue(rate, NOW, NOW + reach + MICROSECOND) > max(0, amount) * 3_600_000_000


@given(HOURLY, MOMENTS, SPANS, st.lists(st.floats(0, 1), max_size=6), st.integers(0, 10**16))
def test_splitting_an_interval_anywhere_never_changes_the_sum(
    rate: HourlyRate, start: datetime, span: timedelta, cuts: list[float], before: int
) -> None:
    """Whatever the session had accrued before, however often the interval is closed and opened again."""
    end = start + span
    whole, _ = close(_continuing(rate, start, before), UID, end, "running")

    open_ = _continuing(rate, start, before)
    pieces: list[Interval] = []
    for cut in [*sorted(cuts), 1.0]:
        rows, open_ = close(open_, UID, start + span * cut if cut < 1 else end, "running")
        pieces.extend(rows)

    assert total(tuple(pieces)) == total(whole)
    assert total(whole) == floor_amount(Accrued(before + accrue(rate, start, end))) - floor_amount(
        Accrued(before)
    )


def _continuing(rate: HourlyRate, start: datetime, before: int) -> OpenInterval:
    return OpenInterval(usage=Usage.ACTIVE, rate=rate, start=start, epoch=1, n=1, accrued=Accrued(before))


@given(HOURLY, MOMENTS, SPANS)
def test_rows_are_gapless_each_within_one_utc_day_with_ids_of_their_own(
    rate: HourlyRate, start: datetime, span: timedelta
) -> None:
    rows, following = close(an_interval(rate, start), UID, start + span, "running")

    assert [row.start for row in rows] == [start, *(row.end for row in rows)][: len(rows)]
    assert all(row.end <= next_day(row.start) and row.start < row.end for row in rows)
    assert len({row.id for row in rows}) == len(rows)
    assert following.start == start + span
    assert [row.n for row in rows] == list(range(1, following.n))


@given(MOMENTS, SPANS)
def test_the_days_of_a_span_are_the_whole_span(start: datetime, span: timedelta) -> None:
    pieces = list(days_of(start, start + span))

    assert sum((end - begin for begin, end in pieces), timedelta(0)) == span


@pytest.mark.parametrize(
    ("moment", "day", "month"),
    [
        pytest.param("2026-12-31T23:59:59.999999+00:00", "2027-01-01", "2027-01-01", id="the end of a year"),
        pytest.param("2028-02-29T00:00:00+00:00", "2028-03-01", "2028-03-01", id="a leap day"),
        pytest.param("2026-03-01T00:00:00+00:00", "2026-03-02", "2026-04-01", id="exactly the first"),
        pytest.param("2026-03-31T23:30:00-02:00", "2026-04-02", "2026-05-01", id="another zone's evening"),
    ],
)
def test_days_and_months_end_at_utc_midnight(moment: str, day: str, month: str) -> None:
    then = datetime.fromisoformat(moment)

    assert next_day(then) == datetime.fromisoformat(f"{day}T00:00:00+00:00")
    assert next_month(then) == datetime.fromisoformat(f"{month}T00:00:00+00:00")


def test_the_cause_of_a_row_is_the_state_that_it_paid_for() -> None:
    world = a_new_world(NOW, POLICY).converge().later(HOUR).record(Kind.IDLED).later(HOUR)

    ledger = world.record(Kind.STOP_BEGUN).later(MINUTE).record(Kind.STOPPED).ledger

    assert [row.cause for row in ledger] == ["running", "idle", "stopping"]
    assert [row.usage for row in ledger] == [Usage.ACTIVE, Usage.IDLE, Usage.ACTIVE]


@pytest.mark.parametrize("state", [State.RUNNING, State.IDLE])
def test_what_the_cleanup_stopped_while_the_sweep_was_dead_is_paid_until_it_was_gone(state: State) -> None:
    """Ten hours later the sweep comes back: the 21 minutes until notAfter are paid, and not the ten hours."""
    running = a_new_world(NOW, POLICY).converge()
    world = running if state is State.RUNNING else running.record(Kind.IDLED)
    rate = HourlyRate(50_000 if state is State.RUNNING else 10_000)

    killed = world.later(21 * MINUTE).cleaned()
    assert not killed.instance_may_run
    found = killed.later(10 * HOUR).converge()

    assert found.workstation.state is State.STOPPED
    assert total(found.ledger) == floor_amount(accrue(rate, NOW, NOW + 21 * MINUTE + timedelta(seconds=10)))
    assert found.events[-1].cost == total(found.ledger)


def test_a_service_that_claims_to_be_gone_for_long_is_paid_up_to_its_not_after() -> None:
    """A wrong time of the platform's makes nothing cheaper than what was reserved."""
    killed = a_new_world(NOW, POLICY).converge().later(HOUR).cleaned()
    assert killed.service
    wrong = replace(killed, service=replace(killed.service, changed_at=NOW - HOUR))

    assert total(wrong.converge().ledger) == floor_amount(accrue(HourlyRate(50_000), NOW, NOW + 21 * MINUTE))


def test_what_starts_is_metered_until_it_was_seen_gone() -> None:
    """A stop that takes ten minutes is paid for ten minutes, whatever was intended."""
    world = a_new_world(NOW, POLICY).converge().later(HOUR).record(Kind.STOP_BEGUN)

    stopped = world.later(10 * MINUTE).record(Kind.STOPPED)

    assert stopped.workstation.state is State.STOPPED
    assert total(stopped.ledger) == 50_000 + 50_000 // 6


def test_each_change_of_rate_is_a_row_with_an_id_of_its_own() -> None:
    """And the reservation is at the rate of the interval that is open."""
    world = a_new_world(NOW, POLICY).converge().later(HOUR).record(Kind.IDLED)
    held, open_ = world.user.reservations[world.workstation.id], world.workstation.interval
    assert open_
    assert (held.rate, held.since) == (open_.rate, open_.start) == (10_000, NOW + HOUR)

    ledger = world.later(HOUR).record(Kind.STOP_BEGUN).later(MINUTE).record(Kind.STOPPED).ledger

    assert [row.id for row in ledger] == [f"{UID}-1-{n}" for n in (1, 2, 3)]


def test_a_wake_out_of_an_error_that_still_costs_is_a_new_session_at_no_cost_yet() -> None:
    """The old session is paid up to the wake, to the micro-dollar, under its own epoch."""
    world = a_new_world(NOW, POLICY).converge().later(HOUR).record(Kind.FAILED).later(MINUTE)

    woken = world.admitted(Kind.WOKEN)

    assert woken.workstation.interval
    assert (woken.workstation.interval.epoch, woken.workstation.interval.accrued) == (2, 0)
    assert woken.workstation.interval.start == NOW + HOUR + MINUTE
    assert [(row.epoch, row.amount) for row in woken.ledger] == [(1, 50_000 + 833)]
