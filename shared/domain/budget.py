"""What a user has spent and reserved, and how long what is left will pay: how a cap holds before it is reached.

committed(day) = spent(day) + what every reservation may still use on that day <= the daily cap, and the same for
the month. A wake or a renewal raises a reservation by compare-and-set on this one record, so two of them cannot
pass a cap together.

    reservation   since ─────────── until ── until + save time (= the service's notAfter)
                    at `rate`           `margin` pays for this
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.domain.errors import CapReached
from shared.domain.money import MICROSECOND, Accrued, HourlyRate, Micros, accrue, affords, ceil_amount
from shared.domain.names import Owner, WorkstationId
from shared.domain.policy import Caps, Reserves
from shared.domain.states import Reason
from shared.domain.usage import Interval, day_key, days_of, month_key, next_day, next_month


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What one workstation may use, from the start of its open interval on."""

    rate: HourlyRate
    since: datetime
    until: datetime
    margin: Micros
    """The price of the save after `until`."""
    fees: Accrued = Accrued(0)
    """Of the requests that were counted since `since`, all of them on its day: nobody reserves those ahead."""

    def parts(self) -> Iterator[tuple[str, Micros]]:
        """(day, at most so much), never rounded down. One that ends at midnight is the ending day's, its save too."""
        yield day_key(self.since), ceil_amount(self.fees)
        for start, end in days_of(self.since, self.until):
            yield day_key(start), ceil_amount(accrue(self.rate, start, end))
        yield day_key(self.until - MICROSECOND), self.margin

    def used(self, moment: datetime) -> "Reservation":
        """The part that is used up at `moment`."""
        return replace(self, until=moment, margin=Micros(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user's budget. `daily` and `monthly` caps are None where the policy's hold."""

    owner: Owner
    daily_cap: Micros | None = None
    monthly_cap: Micros | None = None
    days: Mapping[str, Micros] = field(default_factory=dict)
    months: Mapping[str, Micros] = field(default_factory=dict)
    reservations: Mapping[WorkstationId, Reservation] = field(default_factory=dict)
    due_at: datetime | None = None

    def caps(self, defaults: Caps) -> Caps:
        """The caps that hold for this user: never above what the operator set."""
        return Caps(
            daily=Micros(
                min(defaults.daily, self.daily_cap if self.daily_cap is not None else defaults.daily)
            ),
            monthly=Micros(
                min(defaults.monthly, self.monthly_cap if self.monthly_cap is not None else defaults.monthly)
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """How far the money of one workstation reaches: until when, and what ends it."""

    until: datetime
    reason: Reason | None
    """The cap that ends it; None when the money lasts to the horizon that was asked for."""
    limit: Micros = Micros(0)
    committed: Micros = Micros(0)
    reset_time: datetime | None = None


def funds(
    user: User,
    caps: Caps,
    workstation: WorkstationId,
    rate: HourlyRate,
    since: datetime,
    horizon: datetime,
    margin: Micros,
) -> Funds:
    """How long from `since` on the user can pay `rate` for one workstation, all other reservations kept.

    What the workstation itself has used before `since`, and is in no total yet, counts as spent.
    """
    own = (
        {workstation: user.reservations[workstation].used(since)} if workstation in user.reservations else {}
    )
    days, months = _totals(user, {**user.reservations, **own})
    for start, end in days_of(since, max(horizon, since + MICROSECOND)):
        day, month = day_key(start), month_key(start)
        left_today = caps.daily - days.get(day, 0) - margin
        left_this_month = caps.monthly - months.get(month, 0) - margin
        end_of_money = start + affords(Micros(min(left_today, left_this_month)), rate)
        if end_of_money < end:
            if left_today <= left_this_month:
                spent, reset = Micros(days.get(day, 0)), next_day(start)
                return Funds(
                    until=end_of_money,
                    reason=Reason.DAILY_CAP,
                    limit=caps.daily,
                    committed=spent,
                    reset_time=reset,
                )
            spent, reset = Micros(months.get(month, 0)), next_month(start)
            return Funds(
                until=end_of_money,
                reason=Reason.MONTHLY_CAP,
                limit=caps.monthly,
                committed=spent,
                reset_time=reset,
            )
        months[month] = months.get(month, 0) + ceil_amount(accrue(rate, start, end))
    return Funds(until=horizon, reason=None)


def admit(
    user: User,
    caps: Caps,
    reserves: Reserves,
    workstation: WorkstationId,
    rate: HourlyRate,
    now: datetime,
    since: datetime | None = None,
) -> Reservation:
    """The reservation of a wake, which is metered from `since` on, from now unless it is said.

    Raises CapReached where less than the minimum can be paid for.
    """
    margin, since = save_margin(rate, reserves), since or now
    found = funds(user, caps, workstation, rate, since, now + reserves.ahead, margin)
    if found.reason and found.until < now + reserves.minimum:
        assert found.reset_time is not None
        raise CapReached.of(found.reason, found.limit, found.committed, found.reset_time)
    return Reservation(rate=rate, since=since, until=found.until, margin=margin)


def can_rise(user: User, caps: Caps, workstation: WorkstationId, rate: HourlyRate, now: datetime) -> bool:
    """Whether the rest of what is reserved for a workstation may be used at the higher `rate`, and no cap is passed."""
    held = user.reservations.get(workstation)
    if held is None or held.until <= now:
        return held is not None
    return funds(user, caps, workstation, rate, now, held.until, held.margin).until >= held.until


def save_margin(rate: HourlyRate, reserves: Reserves) -> Micros:
    return ceil_amount(accrue(rate, _EPOCH, _EPOCH + reserves.save_time))


def book(user: User, rows: tuple[Interval, ...]) -> User:
    """The totals with closed intervals added, each to the day and month it lies in; old keys are dropped."""
    days, months = dict(user.days), dict(user.months)
    for row in rows:
        days[day_key(row.start)] = Micros(days.get(day_key(row.start), 0) + row.amount)
        months[month_key(row.start)] = Micros(months.get(month_key(row.start), 0) + row.amount)
    return replace(user, days=_newest(days, KEPT_DAYS), months=_newest(months, KEPT_MONTHS))


def reserve(user: User, workstation: WorkstationId, reservation: Reservation | None) -> User:
    """The user with one reservation set, or, with None, given back."""
    kept = {key: value for key, value in user.reservations.items() if key != workstation}
    return replace(user, reservations=kept if reservation is None else {**kept, workstation: reservation})


def cap_instant(user: User, caps: Caps, now: datetime) -> datetime | None:
    """When the user's spending reaches a cap if everything goes on at its rate; None when not this month."""
    rate = HourlyRate(sum(held.rate for held in user.reservations.values()))
    if not rate:
        return None
    day, month = used_on(user, now)
    for start, stop in days_of(now, next_month(now)):
        reached = start + affords(Micros(min(caps.daily - day, caps.monthly - month)), rate)
        if reached < stop:
            return reached
        day, month = Micros(0), Micros(month + ceil_amount(accrue(rate, start, stop)))
    return None


def used_on(user: User, now: datetime) -> tuple[Micros, Micros]:
    """What is used of this day and this month, open intervals included, never rounded down."""
    used = {key: held.used(now) for key, held in user.reservations.items()}
    days, months = _totals(user, used)
    return Micros(days.get(day_key(now), 0)), Micros(months.get(month_key(now), 0))


KEPT_DAYS = 40
KEPT_MONTHS = 14
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _totals(
    user: User, reservations: Mapping[WorkstationId, Reservation]
) -> tuple[dict[str, int], dict[str, int]]:
    """What is booked and, with `reservations`, what is yet to be, by day and by month."""
    days: dict[str, int] = dict(user.days)
    months: dict[str, int] = dict(user.months)
    for held in reservations.values():
        for day, amount in held.parts():
            days[day] = days.get(day, 0) + amount
            months[day[:7]] = months.get(day[:7], 0) + amount
    return days, months


def _newest(totals: Mapping[str, Micros], count: int) -> dict[str, Micros]:
    return {key: totals[key] for key in sorted(totals)[-count:]}
