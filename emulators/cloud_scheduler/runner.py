"""Is it time, and is the last run over?  The runs of one job.

Scheduled runs of a job never overlap: one that comes due during another starts late, once for all that were missed.
Where retries went on through a schedule time, that run is skipped.  Runs by hand start at once, whatever else runs.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from google.cloud.scheduler_v1.types import Job

from emulators.clock import Timer
from emulators.cloud_scheduler.attempts import AttemptLog
from emulators.cloud_scheduler.backoff import next_wait
from emulators.cloud_scheduler.cron_time import CronTime
from emulators.cloud_scheduler.delivery import Delivery, Outcome
from emulators.cloud_scheduler.settings import cron_of
from emulators.cloud_scheduler.store import Record, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the runners of all jobs share."""

    store: Store
    time: CronTime
    delivery: Delivery
    attempts: AttemptLog


@dataclass(slots=True)
class _Run:
    """A scheduled run that is going on: its time, and what is next for the job."""

    moment: datetime
    next: datetime


class JobRunner:
    """Runs one job on time and on demand."""

    def __init__(self, record: Record, tools: Tools) -> None:
        self.record = record
        self._tools = tools
        self._timer: Timer | None = None
        self._run: _Run | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def job(self) -> Any:
        """The job as the API shows it, with the time of its next run or retry."""
        shown = Job.pb()()
        shown.CopyFrom(self.record.job)
        due, run = self.record.due, self._run
        if due is not None:
            shown.schedule_time.FromDatetime(run.next if run and run.moment == due else due)
        return shown

    def start(self) -> None:
        """Take up what is due, and the runs by hand that a crash has cut."""
        for moment in self.record.forced:
            self._spawn(self._run_by_hand(moment))
        self.plan()

    def plan(self) -> None:
        """Run if it is time, else when it will be; may be asked at any moment."""
        if self._timer is not None:
            self._timer.cancel()
        due, time = self.record.due, self._tools.time
        if due is None or self._run is not None:
            return
        if not time.has_come(due):
            self._timer = time.call_at(due, self.plan)
            return
        self._run = _Run(due, cron_of(self.record.job).next_after(max(due, time.now())))
        self._spawn(self._run_on_schedule(self._run))

    def run_now(self) -> None:
        """Start a run that is not on the schedule; it is on disk when this returns."""
        moment = self._tools.time.now()
        self._tools.store.put(Record(self.record.job, self.record.due, [*self.record.forced, moment]))
        self.record.forced.append(moment)
        self._spawn(self._run_by_hand(moment))

    def close(self) -> None:
        """Cut every run, and begin none."""
        self.record.due = None
        for task in self._tasks:
            task.cancel()
        self.plan()

    async def closed(self) -> None:
        """Cut every run, and return when they have ended."""
        self.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, run: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_on_schedule(self, run: _Run) -> None:
        following = run.next
        try:
            attempts = await self._execute(run.moment, lambda: self.record.due == run.moment, run)
            if self.record.due == run.moment:
                now = self._tools.time.now()
                skipped = attempts > 1 and following <= now
                self.record.due = cron_of(self.record.job).next_after(now) if skipped else following
            self._tools.store.put(self.record)
        finally:
            self._run = None
        self.plan()

    async def _run_by_hand(self, moment: datetime) -> None:
        await self._execute(moment, lambda: True)
        self.record.forced.remove(moment)
        self._tools.store.put(self.record)

    async def _execute(self, moment: datetime, wanted: Callable[[], bool], run: _Run | None = None) -> int:
        """Try until it succeeds or is given up; the number of attempts."""
        time, began, attempts = self._tools.time, self._tools.time.clock.time(), 0
        while True:
            attempts += 1
            outcome = await self._attempt(moment, attempts)
            if outcome.acknowledged:
                return attempts
            elapsed = timedelta(seconds=time.clock.time() - began)
            wait = next_wait(self.record.job.retry_config, attempts, elapsed)
            if wait is None or not wanted():
                return attempts
            self._tools.store.put(self.record)
            if run is not None:
                run.next = time.after(wait)
            await time.clock.sleep(wait.total_seconds())
            if not wanted():
                return attempts

    async def _attempt(self, moment: datetime, number: int) -> Outcome:
        job, started = self.record.job, self._tools.time.now()
        job.last_attempt_time.FromDatetime(started)
        outcome = await self._tools.delivery.attempt(job, moment)
        # An update meanwhile has put another in its place.
        job = self.record.job
        job.last_attempt_time.FromDatetime(started)
        job.status.Clear()
        job.status.SetInParent()
        job.status.code, job.status.message = outcome.code, outcome.message
        self._tools.attempts.add(job.name, moment, number, started, outcome)
        if not outcome.acknowledged:
            log.warning(
                "%s: attempt %d of the run of %s failed: %s", job.name, number, moment, outcome.message
            )
        return outcome
