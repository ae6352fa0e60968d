"""What a target gets: a POST with Cloud Scheduler's headers and a token that it can verify."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from google.auth.transport.requests import Request
from google.oauth2 import id_token

SCHEDULER = "dormouse-scheduler@demo-dormouse.iam.gserviceaccount.com"
NEVER_SOON = "0 0 1 1 *"


def test_a_target_can_tell_who_calls_and_why(
    start_scheduler: Callable[..., Any],
    a_job: Callable[..., Any],
    target: Any,
    accounts: Any,
    eventually: Any,
) -> None:
    start_scheduler(target.url, a_job("sweep", path="/tick"))
    eventually(lambda: bool(target.calls))
    call = target.calls[0]
    assert (call.method, call.path, call.body) == ("POST", "/tick", b"")
    assert call.headers["user-agent"] == "Google-Cloud-Scheduler"
    assert call.headers["x-cloudscheduler"] == "true"
    assert call.headers["x-cloudscheduler-jobname"] == "sweep"
    assert call.headers["content-length"] == "0"
    assert (call.scheduled.second, call.scheduled.microsecond) == (0, 0)
    token = call.headers["authorization"].removeprefix("Bearer ")
    claims = id_token.verify_token(token, Request(), target.url, f"{accounts.url}/oauth2/v3/certs")
    assert (claims["email"], claims["email_verified"]) == (SCHEDULER, True)


def test_each_minute_brings_one_run_with_its_own_time(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """And a job of every fifth minute runs a fifth as often."""
    start_scheduler(target.url, a_job("every"), a_job("fifth", schedule="*/5 * * * *", path="/fifth"))
    eventually(lambda: len(target.at("/fifth")) >= 2)
    every, fifth = ([call.scheduled for call in target.at(path)] for path in ("/", "/fifth"))
    assert len(set(every)) == len(every) >= 5
    assert {time.minute % 5 for time in fifth} == {0}


def test_a_job_can_run_now(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    scheduler = start_scheduler(target.url, a_job(schedule=NEVER_SOON))
    assert scheduler.run("sweep").status_code == 200
    eventually(lambda: "status" in scheduler.job("sweep"))
    assert scheduler.job("sweep")["status"] == {}
    assert len(target.calls) == 1


def test_runs_share_no_cookies(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """What one run was answered must not change what the next one sends."""
    start_scheduler(target.url, a_job())
    eventually(lambda: len(target.calls) >= 2)
    assert all("cookie" not in call.headers for call in target.calls)


def test_without_a_token_nothing_is_called(
    start_scheduler: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """An account that nobody stands for is the outcome of the attempt, not a call without a token."""
    scheduler = start_scheduler(target.url)
    stranger = {"serviceAccountEmail": "stranger@demo-dormouse.iam.gserviceaccount.com"}
    assert scheduler.create("j", httpTarget={"uri": target.url, "oidcToken": stranger}).status_code == 200
    scheduler.run("j")
    eventually(lambda: "status" in scheduler.job("j"))
    assert "no token of stranger@" in scheduler.job("j")["status"]["message"]
    assert target.calls == []


def test_a_schedule_time_is_told_with_the_offset_of_the_jobs_zone(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    start_scheduler(target.url, a_job(timeZone="Asia/Tokyo"))
    eventually(lambda: bool(target.calls))
    said = target.calls[0].headers["x-cloudscheduler-scheduletime"]
    assert datetime.fromisoformat(said).isoformat().endswith("+09:00")
