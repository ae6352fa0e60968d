"""When is the next run?  Cron arithmetic, told the time.

A schedule is read by the clock on the wall of its zone: a time that the wall skips never comes, one that it shows
twice comes twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_TERM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)
_MINUTE = timedelta(minutes=1)
_HORIZON = timedelta(days=366 * 9)
"""Where a 29th of February is not found, around 2100, there is none."""
_ENGLISH = re.compile(r"every\b|first\b|second\b|third\b|fourth\b|last\b|\d+(st|nd|rd|th)\b", re.IGNORECASE)


class EnglishScheduleError(ValueError):
    """The schedule is in App Engine's English-like format."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    words: Sequence[str] = ()

    def values(self, text: str) -> frozenset[int]:
        """What a list such as `1-5,*/10,MON` stands for; raises ValueError."""
        return frozenset(value for term in text.split(",") for value in self._term(term))

    def _term(self, text: str) -> range:
        found = _TERM.fullmatch(text)
        if found is None:
            raise ValueError(f"{self.name}: {text!r} is no value, range or step")
        star, low, high, step = found.groups()
        start = self.first if star else self._value(low)
        # A step from a single value runs to the field's end.
        open_end = star or (step and not high)
        end = self.last if open_end else self._value(high or low)
        if end < start or (step and int(step) == 0):
            raise ValueError(f"{self.name}: {text!r} goes nowhere")
        return range(start, end + 1, int(step or 1))

    def _value(self, text: str) -> int:
        if text.upper() in self.words:
            return self.words.index(text.upper()) + self.first
        if not text.isdecimal() or not self.first <= int(text) <= self.last:
            raise ValueError(f"{self.name}: {text!r} is not from {self.first} to {self.last}")
        return int(text)


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


@dataclass(frozen=True)
class Cron:
    """A unix-cron schedule in a time zone; raises ValueError for a schedule that is wrong or never comes true."""

    schedule: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        self.next_after(datetime(2000, 1, 1, tzinfo=UTC))

    def next_after(self, moment: datetime) -> datetime:
        """The first time after the moment, in UTC."""
        when = moment.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        limit = when + _HORIZON
        while when < limit:
            later = self._not_before(when)
            if later == when:
                return when
            when = later
        raise ValueError(f"the schedule {self.schedule!r} never comes true")

    @cached_property
    def _sets(self) -> tuple[frozenset[int], ...]:
        parts = self.schedule.split()
        if len(parts) != len(_FIELDS):
            if _ENGLISH.match(self.schedule.strip()):
                raise EnglishScheduleError(f"{self.schedule!r} is not in the unix-cron format")
            raise ValueError(f"{self.schedule!r} must have five fields, as in '*/5 * * * *'")
        return tuple(field.values(part) for field, part in zip(_FIELDS, parts, strict=True))

    def _not_before(self, when: datetime) -> datetime:
        """The moment itself where it fits, else one that is nearer to the next that does, and not after it."""
        minutes, hours, *_ = self._sets
        wall = when.astimezone(self.zone)
        if not self._fits_day(wall):
            midnight = datetime.combine(wall.date() + timedelta(days=1), time(), self.zone)
            # Midnight may come twice, or not at all.
            next_day = min(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
            return max(next_day, when + _MINUTE)
        if wall.hour not in hours:
            return when + (60 - wall.minute) * _MINUTE
        return when if wall.minute in minutes else when + _MINUTE

    def _fits_day(self, wall: datetime) -> bool:
        _, _, days, months, weekdays = self._sets
        if wall.month not in months:
            return False
        in_month = wall.day in days
        in_week = not weekdays.isdisjoint({wall.isoweekday(), wall.isoweekday() % 7})
        # Both restrict together only where one of them restricts nothing.
        either = "*" not in self.schedule.split()[2::2]
        return in_month or in_week if either else in_month and in_week


@dataclass(frozen=True, slots=True)
class CronClock:
    """Maps a clock's time to the cron's, in which a minute may pass faster.

    With a minute of 60 seconds both are the same.  With a shorter one, the cron's time starts at the full
    minute of ``origin`` and runs ahead, so that the first full minute comes after one short minute.
    """

    origin: datetime
    minute: timedelta

    def cron_time(self, real: datetime) -> datetime:
        """The cron's time at a time of the clock."""
        return self._start + (real - self.origin) * self._speed

    def real_time(self, cron: datetime) -> datetime:
        """The clock's time at one of the cron's."""
        return self.origin + (cron - self._start) / self._speed

    @property
    def _speed(self) -> float:
        return timedelta(minutes=1) / self.minute

    @property
    def _start(self) -> datetime:
        return self.origin if self._speed == 1 else self.origin.replace(second=0, microsecond=0)
