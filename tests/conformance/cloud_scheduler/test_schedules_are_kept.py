"""When a job runs, by a clock that is moved."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.cloud.scheduler_v1.types import HttpTarget, Job

from tests.conformance.check import check
from tests.conformance.cloud_scheduler.jobs import CRON, ONCE, PROTO, RETRIES
from tests.emulator_processes import eventually
from tests.emulators.cloud_scheduler.target import Target

pytestmark = pytest.mark.emulator_only

_JOB = f"{PROTO}/job.proto"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ROME = ZoneInfo("Europe/Rome")


@pytest.fixture
def create(caller: Any, parent: str, wanted: Callable[..., Job], target: Target) -> Callable[..., Job]:
    """A job that calls the target."""

    def make(schedule: str, **fields: Any) -> Job:
        asked = wanted(schedule=schedule, http_target=HttpTarget(uri=target.url), **fields)
        return caller.create_job(parent=parent, job=asked, **ONCE)

    return make


@check("JOB-091", source=f"{CRON}: */5 in the minutes")
def test_every_fifth_minute(create: Callable[..., Job], target: Target, held: Any) -> None:
    """A schedule of every fifth minute runs 288 times a day, in order, each run with its own time."""
    create("*/5 * * * *")
    held.advance(86400)
    times = [call.scheduled for call in target.calls]
    assert len(times) == 288
    assert {later - earlier for earlier, later in pairwise(times)} == {5 * MINUTE}


@check("JOB-092", source=f"{CRON}: day of the month and of the week are an inclusive OR")
def test_either_day(create: Callable[..., Job], target: Target, held: Any) -> None:
    """With both days restricted a job runs on either."""
    create("0 12 1 * SAT")
    held.advance(62 * 86400)
    days = [call.scheduled for call in target.calls]
    assert {1} < {day.day for day in days}
    assert all(day.day == 1 or day.isoweekday() == 6 for day in days)
    assert sum(day.isoweekday() == 6 for day in days) in (8, 9)


def _next_change(start: datetime, forward: bool) -> datetime:
    """The hour within which Rome's clocks change next in that direction."""
    moment = start.replace(minute=0, second=0, microsecond=0)
    while True:
        moment += HOUR
        gain = (moment + HOUR).astimezone(ROME).utcoffset() - moment.astimezone(ROME).utcoffset()  # type: ignore[operator]
        if gain and (gain > timedelta()) is forward:
            return moment


@check("JOB-093", source=f"{CRON}#daylight_savings_time: runs on wall clock time", assumed=True)
def test_the_hour_that_is_skipped(create: Callable[..., Job], target: Target, held: Any) -> None:
    """A time that the clocks skip brings no run."""
    change = _next_change(held.now(), forward=True)
    held.advance_to(change - 20 * HOUR)
    create("30 2 * * *", time_zone="Europe/Rome")
    held.advance_to(change + 50 * HOUR)
    days = [call.scheduled.astimezone(ROME).day for call in target.calls]
    assert change.astimezone(ROME).day not in days
    assert len(days) == 2


@check("JOB-094", source=f"{CRON}#daylight_savings_time: a given time can occur twice", assumed=True)
def test_the_hour_that_comes_twice(create: Callable[..., Job], target: Target, held: Any) -> None:
    """A time that the clocks show twice brings two runs, an hour apart."""
    change = _next_change(held.now(), forward=False)
    held.advance_to(change - 12 * HOUR)
    create("30 2 * * *", time_zone="Europe/Rome")
    held.advance_to(change + 12 * HOUR)
    first, second = (call.scheduled for call in target.calls)
    assert second - first == HOUR
    assert (first.hour, second.hour) == (2, 2)


@check("JOB-095", source=f"{_JOB}, Job.schedule: never two simultaneously outstanding executions")
def test_no_overlap(create: Callable[..., Job], target: Target, held: Any) -> None:
    """A run that comes due during another is delayed until that has ended, and keeps its schedule time."""
    target.gate.clear()
    job = create("*/5 * * * *", attempt_deadline=timedelta(minutes=30))
    due = job.schedule_time.astimezone(UTC)
    held.advance_to(due + 7 * MINUTE)
    assert len(target.calls) == 1
    target.gate.set()
    eventually(lambda: len(target.calls) == 2)
    assert [call.scheduled for call in target.calls] == [due, due + 5 * MINUTE]
    assert target.most_at_once == 1


@check("JOB-096", source=f"{_JOB}, Job.schedule: a scheduled start time will be delayed", assumed=True)
def test_one_late_run(create: Callable[..., Job], target: Target, held: Any) -> None:
    """Of several times that come during one long run, the first is made up for and the others are not."""
    target.gate.clear()
    due = create("* * * * *", attempt_deadline=timedelta(minutes=30)).schedule_time.astimezone(UTC)
    held.advance_to(due + timedelta(minutes=10, seconds=30))
    target.gate.set()
    eventually(lambda: len(target.calls) == 2)
    held.advance(60)
    times = [round((call.scheduled - due) / MINUTE) for call in target.calls]
    assert times == [0, 1, 11]


@check("JOB-097", source=f"{RETRIES}: the next time might be skipped if the retries continue through it")
def test_retries_go_first(create: Callable[..., Job], target: Target, held: Any) -> None:
    """A schedule time that passes while a failed run is tried again brings no run of its own."""
    target.statuses.extend([500, 500])
    retry = {"retry_count": 2, "min_backoff_duration": timedelta(minutes=3)}
    due = create("*/5 * * * *", retry_config=retry).schedule_time.astimezone(UTC)
    held.advance_to(due + timedelta(minutes=11))
    assert [call.scheduled - due for call in target.calls] == [timedelta()] * 3 + [10 * MINUTE]


@check("JOB-098", source=f"{_JOB}, Job.schedule_time: may be a retry of a previously failed attempt")
def test_the_time_of_a_retry(create: Callable[..., Job], caller: Any, target: Target, held: Any) -> None:
    """While a retry is waited for, the schedule time is the retry's."""
    target.statuses.append(500)
    retry = {"retry_count": 1, "min_backoff_duration": timedelta(minutes=10)}
    job = create("0 * * * *", retry_config=retry)
    due = job.schedule_time.astimezone(UTC)
    held.advance_to(due + MINUTE)
    shown = caller.get_job(name=job.name, **ONCE).schedule_time.astimezone(UTC)
    assert abs(shown - due - 10 * MINUTE) < timedelta(seconds=2)


@check("JOB-099", source=f"{RETRIES}: retryCount 0 does not prevent running to schedule after a failure")
def test_after_a_failure(create: Callable[..., Job], target: Target, held: Any) -> None:
    """A failed run does not keep the job from its next time."""
    target.statuses.extend([500] * 3)
    due = create("*/5 * * * *").schedule_time.astimezone(UTC)
    held.advance_to(due + 11 * MINUTE)
    assert [call.scheduled - due for call in target.calls] == [timedelta(), 5 * MINUTE, 10 * MINUTE]


@check("JOB-100", source=f"{PROTO}/cloudscheduler.proto, PauseJob: the system will stop executing the job")
def test_paused(create: Callable[..., Job], caller: Any, target: Target, held: Any) -> None:
    """A paused job does not run."""
    job = create("* * * * *")
    caller.pause_job(name=job.name, **ONCE)
    held.advance(3600)
    assert target.calls == []


@check("JOB-101", source=f"{PROTO}/cloudscheduler.proto, ResumeJob", assumed=True)
def test_resumed(create: Callable[..., Job], caller: Any, target: Target, held: Any) -> None:
    """What was missed while a job was paused is not made up for."""
    job = create("0 * * * *")
    caller.pause_job(name=job.name, **ONCE)
    held.advance(5 * 3600)
    due = caller.resume_job(name=job.name, **ONCE).schedule_time.astimezone(UTC)
    held.advance_to(due)
    assert [call.scheduled for call in target.calls] == [due]
