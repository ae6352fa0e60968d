"""Usage as intervals: open while a rate holds, closed by each change of rate, split at UTC midnight.

Midnight decides which day pays; it never changes the sum, because amounts are differences of floors of one
exact running total of the session.

Requests are counted into the open interval by whoever forwards them. All that one has counted are of its first day:
`through_midnight` closes the days before, before any more is counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from shared.domain.money import (
    NO_FEE,
    Accrued,
    HourlyRate,
    Micros,
    MillionRate,
    accrue,
    accrue_requests,
    ceil_amount,
    floor_amount,
)
from shared.domain.names import Uid


class Usage(StrEnum):
    ACTIVE = "ACTIVE"
    IDLE = "IDLE"
    REQUESTS = "REQUESTS"
    """No time, only requests: counted when what they were made in had been closed."""


@dataclass(frozen=True, slots=True)
class Tally:
    """So many requests, counted once however often they are handed in: `id` is random, and drawn with the count.

    One without an id is never handed in again.
    """

    uid: Uid
    """Of the life that they were sent to."""
    id: str
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInterval:
    """What runs now, at which rate, since when; the accrued is the session's, up to `start`."""

    usage: Usage
    rate: HourlyRate
    start: datetime
    epoch: int
    n: int
    accrued: Accrued = Accrued(0)
    fee: MillionRate = NO_FEE
    requests: int = 0
    """Counted since `start`."""
    earlier_requests: int = 0
    """The session's, counted before `start`."""

    def cost(self, now: datetime) -> Micros:
        """What has been used since `start` and is in no total yet."""
        return Micros(floor_amount(self._accrued_at(now)) - floor_amount(self.accrued))

    def session_cost(self, now: datetime) -> Micros:
        """What the whole session has cost by `now`, this interval included."""
        return floor_amount(self._accrued_at(now))

    @property
    def session_requests(self) -> int:
        return self.earlier_requests + self.requests

    @property
    def fees(self) -> Accrued:
        """What the requests since `start` have accrued."""
        return accrue_requests(self.fee, self.requests)

    def _accrued_at(self, end: datetime) -> Accrued:
        return Accrued(self.accrued + accrue(self.rate, self.start, end) + self.fees)

    def following(self, stop: datetime) -> "OpenInterval":
        """What goes on from `stop`, at the same rate."""
        return replace(
            self,
            start=stop,
            n=self.n + 1,
            accrued=self._accrued_at(stop),
            requests=0,
            earlier_requests=self.session_requests,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One closed row of the ledger; it lies within one UTC day. Its amount is for its time and its requests."""

    uid: Uid
    epoch: int
    n: int
    usage: Usage
    rate: HourlyRate
    start: datetime
    end: datetime
    amount: Micros
    cause: str
    fee: MillionRate = NO_FEE
    requests: int = 0
    tally: str = ""
    """Of one that is for requests alone: by which tally it was made."""

    @property
    def id(self) -> str:
        """Deterministic, so that a replay meets its own work."""
        if self.tally:
            return f"{self.uid}-requests-{self.tally}"
        return f"{self.uid}-{self.epoch}-{self.n}"


def close(
    open_: OpenInterval, uid: Uid, end: datetime, cause: str
) -> tuple[tuple[Interval, ...], OpenInterval]:
    """The ledger rows of an interval that ends now, and what an interval opened next continues from."""
    rows: list[Interval] = []
    days = list(days_of(open_.start, end))
    if open_.requests and not days:
        days = [(open_.start, open_.start)]
    for start, stop in days:
        rows.append(
            Interval(
                uid=uid,
                epoch=open_.epoch,
                n=open_.n,
                usage=open_.usage,
                rate=open_.rate,
                start=start,
                end=stop,
                amount=open_.cost(stop),
                cause=cause,
                fee=open_.fee,
                requests=open_.requests,
            )
        )
        open_ = open_.following(stop)
    return tuple(rows), open_


def through_midnight(
    open_: OpenInterval, uid: Uid, now: datetime, cause: str
) -> tuple[tuple[Interval, ...], OpenInterval]:
    """The rows of the days before that of `now`, and what is open of its day."""
    if next_day(open_.start) > now:
        return (), open_
    return close(open_, uid, datetime.combine(now.astimezone(UTC).date(), time.min, tzinfo=UTC), cause)


def of_requests(tally: Tally, epoch: int, fee: MillionRate, now: datetime) -> Interval:
    """The row of requests that are counted when nothing is open any more, rounded up."""
    return Interval(
        uid=tally.uid,
        epoch=epoch,
        n=0,
        usage=Usage.REQUESTS,
        rate=HourlyRate(0),
        start=now,
        end=now,
        amount=ceil_amount(accrue_requests(fee, tally.requests)),
        cause="requests",
        fee=fee,
        requests=tally.requests,
        tally=tally.id,
    )


def days_of(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The pieces of [start, end) that lie within one UTC day each."""
    while start < end:
        stop = min(end, next_day(start))
        yield start, stop
        start = stop


def next_day(moment: datetime) -> datetime:
    """The UTC midnight after `moment`."""
    return datetime.combine(moment.astimezone(UTC).date() + timedelta(days=1), time.min, tzinfo=UTC)


def next_month(moment: datetime) -> datetime:
    """The first UTC midnight of the month after `moment`."""
    first = moment.astimezone(UTC).date().replace(day=1)
    return datetime.combine((first + timedelta(days=32)).replace(day=1), time.min, tzinfo=UTC)


def day_key(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def month_key(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m}"
