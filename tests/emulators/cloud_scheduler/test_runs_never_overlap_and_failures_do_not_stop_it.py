"""A slow target delays its job and is never called twice at once; a failing one is recorded, and tried on."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from emulators.cloud_scheduler.cron import Cron
from emulators.cloud_scheduler.delivery import Delivery
from emulators.cloud_scheduler.jobs import Job


def test_a_run_that_outlasts_its_minute_is_not_doubled(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """Nor by hand: 409. Once it is over, one late run makes up for all that were missed."""
    target.gate.clear()
    scheduler = start_scheduler(target.url, a_job(), a_job("other", path="/other"), minute=0.1)
    eventually(lambda: len(target.calls) == 2)
    assert scheduler.run("sweep").status_code == 409
    clock = scheduler.job("sweep")["nextRunTime"]
    eventually(lambda: scheduler.job("sweep")["nextRunTime"] > clock)
    assert sorted(call.path for call in target.calls) == ["/", "/other"]
    assert scheduler.job("sweep")["running"] is True

    target.gate.set()
    eventually(lambda: scheduler.job("sweep")["runs"] >= 3)
    sweeps = [call for call in list(target.calls) if call.path == "/"]
    times = [call.headers["x-cloudscheduler-scheduletime"] for call in sweeps]
    assert times == sorted(set(times))
    assert datetime.fromisoformat(times[1]) - datetime.fromisoformat(times[0]) > timedelta(minutes=1)
    # Two jobs may call at once; one job may not.
    assert target.most_at_once <= 2


def test_a_failing_target_is_recorded_and_called_again_next_minute(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """Once a run, as the retry count is 0."""
    target.statuses.extend([500] * 1000)
    scheduler = start_scheduler(target.url, a_job())
    eventually(lambda: scheduler.job("sweep")["runs"] >= 3)
    last = scheduler.job("sweep")["lastRun"]
    assert (last["httpStatus"], last["attempts"]) == (500, 1)
    assert "500" in last["error"]
    target.statuses.clear()
    eventually(lambda: scheduler.job("sweep")["lastRun"]["httpStatus"] == 200)


def test_a_redirect_is_a_failure_and_is_not_followed(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    target.statuses.append(302)
    scheduler = start_scheduler(target.url, a_job(schedule="0 0 1 1 *"))
    scheduler.run("sweep")
    eventually(lambda: scheduler.job("sweep")["runs"] == 1)
    assert scheduler.job("sweep")["lastRun"]["httpStatus"] == 302
    assert len(target.calls) == 1


def test_a_target_that_is_down_is_recorded_and_the_schedule_goes_on(
    start_scheduler: Callable[..., Any],
    a_job: Callable[..., Any],
    free_port: Callable[[], int],
    eventually: Any,
) -> None:
    scheduler = start_scheduler(f"http://127.0.0.1:{free_port()}", a_job())
    eventually(lambda: scheduler.job("sweep")["runs"] >= 3)
    last = scheduler.job("sweep")["lastRun"]
    assert last["httpStatus"] is None
    assert "cannot call" in last["error"]


def test_a_retry_count_tries_the_same_run_again(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    target.statuses.extend([503, 503])
    job = a_job(schedule="0 0 1 1 *", retryCount=3, minBackoffSeconds=0.05)
    scheduler = start_scheduler(target.url, job)
    scheduler.run("sweep")
    eventually(lambda: scheduler.job("sweep")["runs"] == 1)
    last = scheduler.job("sweep")["lastRun"]
    assert (last["httpStatus"], last["attempts"], len(target.calls)) == (200, 3, 3)
    assert len({call.headers["x-cloudscheduler-scheduletime"] for call in target.calls}) == 1


def test_an_attempt_ends_at_its_deadline(target: Any, accounts: Any) -> None:
    """The smallest that a jobs file may ask for is 15 s: so the delivery itself is asked here."""
    target.gate.clear()
    minutely = Cron("* * * * *", ZoneInfo("Etc/UTC"))
    job = Job("slow", minutely, target.url, target.url, attempt_deadline=timedelta(seconds=0.3))

    async def attempt() -> Any:
        async with httpx2.AsyncClient(trust_env=False, timeout=None) as client:
            return await Delivery(accounts.metadata, client).attempt(job, datetime.now(UTC))

    outcome = asyncio.run(attempt())
    assert outcome.http_status is None
    assert "attempt deadline of 0.3 s" in outcome.error


def test_without_a_token_nothing_is_called(target: Any, free_port: Callable[[], int]) -> None:
    """A metadata server that is down is the outcome, not a crash, and no request goes out without a token."""
    job = Job("j", Cron("* * * * *", ZoneInfo("Etc/UTC")), target.url, target.url, timedelta(seconds=15))

    async def attempt() -> Any:
        async with httpx2.AsyncClient(trust_env=False) as client:
            return await Delivery(f"127.0.0.1:{free_port()}", client).attempt(job, datetime.now(UTC))

    assert "no ID token" in asyncio.run(attempt()).error
    assert target.calls == []
