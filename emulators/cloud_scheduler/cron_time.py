"""What time is it for the jobs?  The emulator's clock; with a short minute, a cron that runs ahead of it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from emulators.clock import Clock, Timer
from emulators.cloud_scheduler.cron import CronClock

_TOLERANCE = timedelta(milliseconds=1)
"""The time of day and the timers' are two clocks, and rounding may set them that far apart."""


class CronTime:
    """The cron's time of day; deadlines and back-offs are in the clock's seconds, however short its minute."""

    def __init__(self, clock: Clock, minute: timedelta) -> None:
        self.clock = clock
        self._mapping = CronClock(clock.now(), minute)

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._mapping.cron_time(self.clock.now())

    def after(self, wait: timedelta) -> datetime:
        """The time when the clock has gone on by so much."""
        return self._mapping.cron_time(self.clock.now() + wait)

    def has_come(self, moment: datetime) -> bool:
        """Whether it is time."""
        return self._left(moment) <= _TOLERANCE

    def call_at(self, moment: datetime, callback: Callable[[], object]) -> Timer:
        """Call when the moment has come."""
        return self.clock.call_later(max(0.0, self._left(moment).total_seconds()), callback)

    def _left(self, moment: datetime) -> timedelta:
        return self._mapping.real_time(moment) - self.clock.now()
