"""Usage as intervals: open while a rate holds, closed by each change of rate, split at UTC midnight.

Midnight decides which day pays; it never changes the sum, because amounts are differences of floors of one
exact running total of the session.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from shared.domain.money import Accrued, HourlyRate, Micros, accrue, floor_amount
from shared.domain.names import Uid


class Usage(StrEnum):
    ACTIVE = "ACTIVE"
    IDLE = "IDLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInterval:
    """What runs now, at which rate, since when; the accrued is the session's, up to `start`."""

    usage: Usage
    rate: HourlyRate
    start: datetime
    epoch: int
    n: int
    accrued: Accrued = Accrued(0)

    def cost(self, now: datetime) -> Micros:
        """What has been used since `start` and is in no total yet."""
        return Micros(floor_amount(self._accrued_at(now)) - floor_amount(self.accrued))

    def session_cost(self, now: datetime) -> Micros:
        """What the whole session has cost by `now`, this interval included."""
        return floor_amount(self._accrued_at(now))

    def _accrued_at(self, end: datetime) -> Accrued:
        return Accrued(self.accrued + accrue(self.rate, self.start, end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One closed row of the ledger; it lies within one UTC day."""

    uid: Uid
    epoch: int
    n: int
    usage: Usage
    rate: HourlyRate
    start: datetime
    end: datetime
    amount: Micros
    cause: str

    @property
    def id(self) -> str:
        """Deterministic, so that a replay meets its own work."""
        return f"{self.uid}-{self.epoch}-{self.n}"


def close(
    open_: OpenInterval, uid: Uid, end: datetime, cause: str
) -> tuple[tuple[Interval, ...], OpenInterval]:
    """The ledger rows of an interval that ends now, and what an interval opened next continues from."""
    rows: list[Interval] = []
    for start, stop in days_of(open_.start, end):
        following = OpenInterval(
            usage=open_.usage,
            rate=open_.rate,
            start=stop,
            epoch=open_.epoch,
            n=open_.n + 1,
            accrued=Accrued(open_.accrued + accrue(open_.rate, start, stop)),
        )
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
            )
        )
        open_ = following
    return tuple(rows), open_


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
