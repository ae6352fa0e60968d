"""How a cap holds before it is reached: admission, reservations, and how far the money of a user goes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.budget import (
    KEPT_DAYS,
    KEPT_MONTHS,
    Reservation,
    User,
    admit,
    book,
    funds,
    reserve,
    save_margin,
    used_on,
)
from shared.domain.errors import CapReached
from shared.domain.money import HourlyRate, Micros
from shared.domain.names import WorkstationId
from shared.domain.policy import Caps
from shared.domain.states import Reason
from tests.domain.builders_budget import (
    CENT,
    FLAT,
    LAST_MINUTES,
    ONE,
    OTHER,
    PLENTY,
    RATES,
    RESERVES,
    SMALL_CAPS,
    STARTS,
    a_row,
    committed,
    spent,
)
from tests.domain.builders_workstation import HOUR, MICROSECOND, MINUTE, NOW, a_user

# --- admission -------------------------------------------------------------------------------------------------


def test_a_wake_reserves_twenty_minutes_and_the_price_of_a_save() -> None:
    reservation = admit(a_user(), PLENTY, RESERVES, ONE, FLAT, NOW)

    assert reservation == Reservation(rate=FLAT, since=NOW, until=NOW + 20 * MINUTE, margin=Micros(834))


MINIMUM = 8_334 + 834
"""Ten minutes and a save at five cents an hour, in micro-dollars, rounded up."""


@pytest.mark.mission("COST-06", "COST-07")
@pytest.mark.parametrize(
    ("left", "admitted"),
    [
        pytest.param(MINIMUM - 1, False, id="a micro-dollar less than ten minutes and a save is refused"),
        pytest.param(MINIMUM, True, id="enough for ten minutes and a save is admitted"),
        pytest.param(MINIMUM + 1, True, id="a micro-dollar more is admitted"),
    ],
)
@pytest.mark.parametrize(
    ("caps", "limit", "reason", "reset"),
    [
        pytest.param(Caps(), 5_000_000, "DAILY_CAP", "2026-03-11", id="five dollars a day"),
        pytest.param(
            Caps(daily=Micros(10**9)),
            100_000_000,
            "MONTHLY_CAP",
            "2026-04-01",
            id="a hundred dollars a month",
        ),
    ],
)
def test_a_wake_needs_the_money_for_ten_minutes_and_a_save(
    caps: Caps, limit: int, reason: str, reset: str, left: int, admitted: bool
) -> None:
    user = spent(limit - left)

    if admitted:
        assert admit(user, caps, RESERVES, ONE, FLAT, NOW).until >= NOW + RESERVES.minimum
        return
    with pytest.raises(CapReached) as refused:
        admit(user, caps, RESERVES, ONE, FLAT, NOW)
    assert (refused.value.reason, refused.value.limit, refused.value.spent) == (reason, limit, limit - left)
    assert refused.value.reset_time == datetime.fromisoformat(f"{reset}T00:00:00+00:00")


def test_eight_wakes_with_room_for_one_admit_one() -> None:
    """Each over the budget that the one before has left."""
    user, refusals = spent(5_000_000 - 2 * MINIMUM + 1), 0
    for n in range(8):
        id_ = WorkstationId(f"ws-{n}")
        try:
            user = reserve(user, id_, admit(user, PLENTY, RESERVES, id_, FLAT, NOW))
        except CapReached:
            refusals += 1

    assert (len(user.reservations), refusals) == (1, 7)


def test_a_refusal_says_what_is_the_matter_and_what_to_do() -> None:
    with pytest.raises(CapReached) as refused:
        admit(spent(5_000_000), PLENTY, RESERVES, ONE, FLAT, NOW)

    text = str(refused.value)
    assert "daily limit of $5.00" in text
    assert "2026-03-11T00:00:00Z" in text
    assert "stop another workstation" in text


def test_a_users_own_caps_only_ever_tighten_the_operators() -> None:
    tight, loose = a_user(daily_cap=Micros(1), monthly_cap=Micros(2)), a_user(daily_cap=Micros(10**9))

    assert tight.caps(PLENTY) == Caps(daily=Micros(1), monthly=Micros(2))
    assert loose.caps(PLENTY) == PLENTY
    assert a_user(daily_cap=Micros(0)).caps(PLENTY).daily == 0


def test_a_new_day_admits_again_and_a_spent_month_does_not() -> None:
    at_midnight = datetime(2026, 3, 11, tzinfo=UTC)

    assert admit(spent(5_000_000), PLENTY, RESERVES, ONE, FLAT, at_midnight).since == at_midnight
    with pytest.raises(CapReached, match="monthly"):
        admit(spent(100_000_000), PLENTY, RESERVES, ONE, FLAT, at_midnight)


def test_what_the_workstation_itself_has_used_and_not_yet_paid_counts_when_it_is_admitted_again() -> None:
    """Resuming after hours of IDLE: the open interval is closed by the same batch."""
    idle = Reservation(rate=HourlyRate(10_000), since=NOW - 10 * HOUR, until=NOW + MINUTE, margin=Micros(834))
    user = reserve(spent(5_000_000 - 100_000 - 5_000), ONE, idle)

    with pytest.raises(CapReached):
        admit(user, PLENTY, RESERVES, ONE, FLAT, NOW)


# --- over midnight ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last_day", "last_month", "next_day", "next_month"),
    [("2026-03-10", "2026-03", "2026-03-11", "2026-03"), ("2026-03-31", "2026-03", "2026-04-01", "2026-04")],
    ids=["a midnight", "the end of a month"],
)
def test_a_reservation_over_midnight_is_paid_by_both_days(
    last_day: str, last_month: str, next_day: str, next_month: str
) -> None:
    midnight = datetime.fromisoformat(f"{next_day}T00:00:00+00:00")
    held = admit(a_user(), PLENTY, RESERVES, ONE, FLAT, midnight - 12 * MINUTE)

    days, months = committed(reserve(a_user(), ONE, held))

    assert days == {last_day: 10_000, next_day: 6_667 + 834}
    assert sum(months.values()) == 17_501
    assert months[next_month] >= 7_501


def test_a_spent_day_is_no_reason_to_refuse_what_the_next_day_pays() -> None:
    """Two minutes before midnight with money for these two minutes."""
    user = spent(5_000_000 - 5_000, at=LAST_MINUTES)

    held = admit(user, PLENTY, RESERVES, ONE, FLAT, LAST_MINUTES + 8 * MINUTE)

    assert held.until == LAST_MINUTES + 28 * MINUTE


@pytest.mark.parametrize(
    "until", [-MICROSECOND, timedelta(0), MICROSECOND], ids=["just before", "exactly at", "just after"]
)
def test_the_save_after_a_reservation_that_ends_at_midnight_is_within_a_cap(until: timedelta) -> None:
    """The next day is full already: neither the running nor the saving may be paid by it."""
    midnight = LAST_MINUTES + 10 * MINUTE
    full = book(a_user(), (a_row(midnight, 5_000_000),))
    reserves = replace(RESERVES, ahead=15 * MINUTE + until)

    held = admit(full, PLENTY, reserves, ONE, FLAT, midnight - 15 * MINUTE)

    days, _ = committed(reserve(full, ONE, held))
    assert max(days.values()) <= PLENTY.daily


# --- how far the money goes ------------------------------------------------------------------------------------


@given(RATES, STARTS, SMALL_CAPS, st.integers(0, 200_000), st.timedeltas(MINUTE, 3 * HOUR))
def test_funds_reach_as_far_as_the_caps_and_no_further(
    rate: HourlyRate, since: datetime, caps: Caps, before: int, ahead: timedelta
) -> None:
    user = book(a_user(), (a_row(since, before),))
    margin = save_margin(rate, RESERVES)

    found = funds(user, caps, ONE, rate, since, since + ahead, margin)

    assert since <= found.until <= since + ahead
    if found.reason is None:
        assert found.until == since + ahead
    elif found.until > since:
        assert _fits(user, caps, Reservation(rate=rate, since=since, until=found.until, margin=margin))
        further = found.until + timedelta(seconds=1)
        assert not _fits(user, caps, Reservation(rate=rate, since=since, until=further, margin=margin))


def _fits(user: User, caps: Caps, held: Reservation) -> bool:
    days, months = committed(reserve(user, ONE, held))
    return max(days.values()) <= caps.daily and max(months.values()) <= caps.monthly


def test_the_hours_before_midnight_count_against_the_month_after_it() -> None:
    """Three cents left this month at five cents an hour: they end 36 minutes from now, on the next day."""
    caps = Caps(daily=Micros(10**9), monthly=Micros(3 * CENT))
    evening = datetime(2026, 3, 10, 23, 40, tzinfo=UTC)

    found = funds(a_user(), caps, ONE, FLAT, evening, evening + 2 * HOUR, Micros(0))

    assert found.reason is Reason.MONTHLY_CAP
    assert timedelta(0) <= evening + 36 * MINUTE - found.until < timedelta(seconds=1)


@given(RATES, STARTS, st.integers(0, 300_000))
def test_a_capped_user_is_never_admitted(rate: HourlyRate, now: datetime, over: int) -> None:
    caps = Caps(daily=Micros(5_000), monthly=Micros(100_000))
    user = book(a_user(), (a_row(now, 100_000 + over),))

    with pytest.raises(CapReached):
        admit(user, caps, RESERVES, ONE, rate, now)


# --- totals ----------------------------------------------------------------------------------------------------


def test_old_totals_are_dropped_and_the_newest_kept() -> None:
    rows = tuple(a_row(NOW + timedelta(days=n), n + 1) for n in range(500))

    user = book(a_user(), rows)

    assert (len(user.days), len(user.months)) == (KEPT_DAYS, KEPT_MONTHS)
    assert used_on(user, rows[-1].start)[0] == 500
    assert used_on(user, NOW) == (0, 0)


def test_giving_back_a_reservation_gives_back_all_of_it() -> None:
    user = reserve(a_user(), ONE, admit(a_user(), PLENTY, RESERVES, ONE, FLAT, NOW))

    assert reserve(user, ONE, None) == a_user()
    assert reserve(user, OTHER, None) == user


@pytest.mark.parametrize("cap", [Reason.DAILY_CAP, Reason.MONTHLY_CAP])
def test_which_cap_ends_the_money_is_said(cap: Reason) -> None:
    caps = Caps(daily=Micros(CENT), monthly=Micros(CENT if cap is Reason.MONTHLY_CAP else 2 * CENT))
    user = spent(0) if cap is Reason.DAILY_CAP else book(a_user(), (a_row(NOW - 48 * HOUR, 1),))

    found = funds(user, caps, ONE, FLAT, NOW, NOW + HOUR, Micros(0))

    assert found.reason is cap
    assert found.until < NOW + HOUR
