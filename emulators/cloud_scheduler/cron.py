"""When is the next run?  Cron arithmetic, told the time.

A run that was missed, because the one before it took too long or the machine slept, is made up for once, late.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = 5
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """A unix-cron schedule in a time zone."""

    schedule: str
    zone: ZoneInfo

    def next_after(self, moment: datetime) -> datetime:
        """The first time after the moment; raises ValueError when there is none or the schedule is wrong."""
        return self._first(moment, reverse=False)

    def last_until(self, moment: datetime) -> datetime:
        """The last time that is not after the moment."""
        return self._first(moment.replace(microsecond=0) + _SECOND, reverse=True)

    def due(self, previous: datetime, now: datetime) -> datetime:
        """When to run after the run of ``previous``: the latest time that was missed, else the coming one."""
        missed = self.last_until(now)
        # Counted from the later of the two: a clock that is set back must not bring a run twice.
        return missed if missed > previous else self.next_after(max(previous, now))

    def _first(self, moment: datetime, *, reverse: bool) -> datetime:
        if len(self.schedule.split()) != _FIELDS:
            raise ValueError(f"schedule {self.schedule!r} must have five fields, as in '*/5 * * * *'")
        try:
            found: datetime | None = next(CronSim(self.schedule, moment.astimezone(self.zone), reverse), None)
        except CronSimError as error:
            raise ValueError(f"schedule {self.schedule!r}: {error}") from error
        if found is None:
            raise ValueError(f"schedule {self.schedule!r} never comes true")
        return found.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class CronClock:
    """Maps real time to the cron's, in which a minute may pass faster.

    With a minute of 60 seconds both are the same.  With a shorter one, the cron's time starts at the full
    minute of ``origin`` and runs ahead, so that the first full minute comes after one short minute.
    """

    origin: datetime
    minute: timedelta

    def cron_time(self, real: datetime) -> datetime:
        """The cron's time at a real one."""
        return self._start + (real - self.origin) * self._speed

    def real_time(self, cron: datetime) -> datetime:
        """The real time at one of the cron's."""
        return self.origin + (cron - self._start) / self._speed

    @property
    def _speed(self) -> float:
        return timedelta(minutes=1) / self.minute

    @property
    def _start(self) -> datetime:
        return self.origin if self._speed == 1 else self.origin.replace(second=0, microsecond=0)
