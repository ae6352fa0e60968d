"""Is it time, and is the last run over?  The loop of one job.

Runs of one job never overlap, scheduled or by hand: a run that comes due during another starts late, once.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from emulators.cloud_scheduler.cron import CronClock
from emulators.cloud_scheduler.delivery import Delivery, Outcome
from emulators.cloud_scheduler.jobs import Job

log = logging.getLogger(__name__)

_LONGEST_SLEEP = timedelta(seconds=1)
"""A sleeping machine stops the sleep's clock: so the wall clock is read again this often."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job that is over."""

    schedule_time: datetime
    start_time: datetime
    end_time: datetime
    attempts: int
    outcome: Outcome


class AlreadyRunningError(Exception):
    """A run of the job is going on."""


class JobRunner:
    """Runs one job on time and on demand."""

    def __init__(self, job: Job, delivery: Delivery, clock: CronClock, now: Callable[[], datetime]) -> None:
        self.job = job
        self.last_run: Run | None = None
        self.runs = 0
        self._delivery = delivery
        self._clock = clock
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self._by_hand: asyncio.Task[None] | None = None
        self._previous = self._cron_now()

    @property
    def running(self) -> bool:
        """Whether a run is going on."""
        return self._one_at_a_time.locked()

    @property
    def next_run(self) -> datetime:
        """When the next scheduled run is due, in the cron's time."""
        return self.job.cron.due(self._previous, self._cron_now())

    async def run_on_schedule(self) -> None:
        """Run whenever due, until cancelled."""
        while True:
            due = self.next_run
            await self._sleep_until(due)
            async with self._one_at_a_time:
                self._previous = due
                await self._run(due)

    def run_now(self) -> None:
        """Start a run that is not on the schedule; raises AlreadyRunningError."""
        if self.running or (self._by_hand is not None and not self._by_hand.done()):
            raise AlreadyRunningError
        self._by_hand = asyncio.create_task(self._run_by_hand())

    async def stop(self) -> None:
        """Cut a run that was started by hand."""
        if self._by_hand is not None:
            self._by_hand.cancel()
            await asyncio.gather(self._by_hand, return_exceptions=True)

    async def _run_by_hand(self) -> None:
        async with self._one_at_a_time:
            await self._run(self._cron_now())

    async def _run(self, schedule_time: datetime) -> None:
        start, attempts = self._now(), 1
        outcome = await self._delivery.attempt(self.job, schedule_time)
        while not outcome.acknowledged and attempts <= self.job.retry.count:
            await asyncio.sleep(self.job.retry.backoff(attempts).total_seconds())
            attempts += 1
            outcome = await self._delivery.attempt(self.job, schedule_time)
        self.last_run = Run(schedule_time, start, self._now(), attempts, outcome)
        self.runs += 1
        if not outcome.acknowledged:
            log.warning("%s: run of %s failed: %s", self.job.name, schedule_time, outcome.error)

    async def _sleep_until(self, due: datetime) -> None:
        while True:
            left = self._clock.real_time(due) - self._now()
            if left <= timedelta():
                return
            await asyncio.sleep(min(left, _LONGEST_SLEEP).total_seconds())

    def _cron_now(self) -> datetime:
        return self._clock.cron_time(self._now())
