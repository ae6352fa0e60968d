"""Whatever is admitted, renewed and closed in whatever order: a cap holds, and its coming is foreseen."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain.budget import (
    Reservation,
    User,
    admit,
    book,
    cap_instant,
    funds,
    reserve,
    save_margin,
)
from shared.domain.counting import count
from shared.domain.errors import CapReached
from shared.domain.money import HourlyRate, Micros, MillionRate
from shared.domain.names import Uid, WorkstationId
from shared.domain.policy import Caps
from shared.domain.usage import Interval, OpenInterval, Tally, Usage, close, day_key, month_key
from tests.domain.builders_budget import ONE, PLENTY, RATES, RESERVES, SMALL_CAPS, STARTS, committed, spent
from tests.domain.builders_workstation import HOUR, MINUTE, NOW, OWNER, POLICY, UID, a_user, a_workstation


@dataclass
class Purse:
    """A user's budget under a sequence of admissions, renewals and closings, as the use cases make them."""

    caps: Caps
    now: datetime
    overrun: timedelta
    """How long one runs beyond its reservation before the cleanup has stopped it."""
    user: User = field(default_factory=a_user)
    intervals: dict[WorkstationId, OpenInterval] = field(default_factory=dict)
    ledger: list[Interval] = field(default_factory=list)
    tallies: int = 0
    """What all requests may have cost: they are in no reservation."""

    def admit(self, id_: WorkstationId, rate: HourlyRate) -> None:
        if id_ in self.intervals:
            return
        try:
            held = admit(self.user, self.caps, RESERVES, id_, rate, self.now)
        except CapReached:
            return
        self.user = reserve(self.user, id_, held)
        self.intervals[id_] = OpenInterval(
            usage=Usage.ACTIVE, rate=rate, start=self.now, epoch=1, n=1, fee=MillionRate(400_000)
        )

    def renew(self, id_: WorkstationId) -> None:
        held = self.user.reservations.get(id_)
        if held is None:
            return
        found = funds(
            self.user, self.caps, id_, held.rate, held.since, self.now + RESERVES.ahead, held.margin
        )
        if found.until > held.until:
            self.user = reserve(self.user, id_, replace(held, until=found.until))

    def count(self, id_: WorkstationId, requests: int) -> None:
        """Into the open interval, as far as its money goes."""
        if id_ not in self.intervals or not requests:
            return
        workstation = a_workstation(id=id_, interval=self.intervals[id_], uid=Uid(id_))
        policy = replace(POLICY, caps=self.caps)
        counted = count(workstation, self.user, Tally(Uid(id_), "", requests), policy, self.now)
        assert counted.workstation.interval
        self.user, self.intervals[id_] = counted.user, counted.workstation.interval
        self.ledger.extend(counted.intervals)
        self.tallies += requests * 2 // 5 + 1

    def close(self, id_: WorkstationId) -> None:
        """Stopped now, or, where its reservation and the time to save have run out, by the cleanup then."""
        if id_ not in self.intervals:
            return
        end = min(self.now, self.user.reservations[id_].until + self.overrun)
        rows, _ = close(self.intervals.pop(id_), Uid(id_), end, "running")
        self.ledger.extend(rows)
        self.user = reserve(book(self.user, rows), id_, None)

    def later(self, minutes: timedelta) -> None:
        self.now += minutes
        for id_ in list(self.intervals):
            if self.now >= self.user.reservations[id_].until + self.overrun:
                self.close(id_)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "renew", "count", "close", "later"]),
        st.sampled_from([WorkstationId(f"ws-{n}") for n in range(4)]),
        RATES,
        st.timedeltas(timedelta(0), 15 * MINUTE),
    ),
    max_size=40,
)


@pytest.mark.mission("COST-06", "COST-07")
@pytest.mark.parametrize(
    ("overrun", "saves"),
    [
        pytest.param(timedelta(0), 0, id="stopped when the reservation ends: never by a micro-dollar"),
        pytest.param(
            RESERVES.save_time, 4, id="saving beyond it: by what saves that cross midnight cost a new day"
        ),
    ],
)
@given(STARTS, SMALL_CAPS, STEPS, st.sampled_from([0, 1, 5_000]))
def test_reserved_and_spent_never_pass_a_cap(
    overrun: timedelta,
    saves: int,
    now: datetime,
    caps: Caps,
    steps: list[tuple[str, WorkstationId, HourlyRate, timedelta]],
    asked: int,
) -> None:
    """After any sequence of admissions, renewals and closings, over midnight and the end of a month.

    Without requests never by more; with them, by no more than they all cost where nobody stops what has no money left.
    """
    purse, slack = Purse(caps, now, overrun), saves * save_margin(HourlyRate(417_600), RESERVES)
    for verb, id_, rate, minutes in steps:
        match verb:
            case "admit":
                purse.admit(id_, rate)
            case "renew":
                purse.renew(id_)
            case "count":
                purse.count(id_, asked)
            case "close":
                purse.close(id_)
            case _:
                purse.later(minutes)
        days, months = committed(purse.user)
        over = purse.tallies
        assert all(
            amount <= caps.daily + over + (day != day_key(now)) * slack for day, amount in days.items()
        )
        assert all(
            amount <= caps.monthly + over + (month != month_key(now)) * slack
            for month, amount in months.items()
        )

    for id_ in list(purse.intervals):
        purse.close(id_)
    assert purse.user.reservations == {}
    assert sum(purse.user.days.values()) == sum(row.amount for row in purse.ledger)
    assert sum(purse.user.months.values()) == sum(row.amount for row in purse.ledger)


# --- when a cap will be reached --------------------------------------------------------------------------------


def running(rate: HourlyRate, since: datetime, user: User | None = None) -> User:
    held = Reservation(rate=rate, since=since, until=since + 20 * MINUTE, margin=Micros(0))
    return reserve(user or a_user(), ONE, held)


def test_nothing_that_runs_reaches_no_cap() -> None:
    assert cap_instant(spent(4_999_999), PLENTY, NOW) is None


def test_a_cap_is_reached_when_what_is_left_is_used_up() -> None:
    """A dollar left at a dollar an hour, half an hour of it used already."""
    user = running(HourlyRate(1_000_000), NOW - HOUR / 2, spent(4_000_000))

    assert cap_instant(user, PLENTY, NOW) == NOW + HOUR / 2


def test_a_cap_that_lies_beyond_midnight_is_not_reached_by_the_day_before() -> None:
    """Each day has its own five dollars; the month's hundred are reached first."""
    user = running(HourlyRate(200_000), NOW, spent(97_600_000, at=NOW - timedelta(days=1)))

    assert cap_instant(user, replace(PLENTY, monthly=Micros(100_000_000)), NOW) == NOW + 12 * HOUR


def test_what_was_used_before_midnight_is_paid_by_the_day_before() -> None:
    """Running for two days at $4.80 a day: no day's cap is reached, but the month's after 500 hours in all."""
    two_days_ago = NOW - timedelta(days=2)

    reached = cap_instant(running(HourlyRate(200_000), two_days_ago), PLENTY, NOW)

    assert reached == two_days_ago + 500 * HOUR


@given(RATES, STARTS, SMALL_CAPS, st.timedeltas(timedelta(0), 60 * HOUR))
def test_the_cap_instant_is_where_the_ledger_would_pass_a_cap(
    rate: HourlyRate, since: datetime, caps: Caps, ago: timedelta
) -> None:
    """Held against closing the interval at that moment: within the caps there, beyond one soon after."""
    now = since + ago
    user = running(rate, since)
    assume(_within(rate, since, now, caps))

    reached = cap_instant(user, caps, now)

    if reached is not None:
        assert _within(rate, since, reached, caps)
        assert not _within(rate, since, reached + timedelta(seconds=2), caps)


def _within(rate: HourlyRate, since: datetime, end: datetime, caps: Caps) -> bool:
    open_ = OpenInterval(usage=Usage.ACTIVE, rate=rate, start=since, epoch=1, n=1)
    rows, _ = close(open_, UID, end, "running")
    user = book(User(owner=OWNER), rows)
    return (
        max(user.days.values(), default=0) <= caps.daily
        and max(user.months.values(), default=0) <= caps.monthly
    )
