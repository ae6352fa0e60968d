"""What a target gets: a POST with Cloud Scheduler's headers and a token that it can verify."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from google.auth.transport.requests import Request
from google.oauth2 import id_token

SCHEDULER = "dormouse-scheduler@demo-dormouse.iam.gserviceaccount.com"


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
    assert (call.method, call.path) == ("POST", "/tick")
    assert call.headers["user-agent"] == "Google-Cloud-Scheduler"
    assert call.headers["x-cloudscheduler"] == "true"
    assert call.headers["x-cloudscheduler-jobname"] == "sweep"
    assert call.headers["content-length"] == "0"
    scheduled = datetime.fromisoformat(call.headers["x-cloudscheduler-scheduletime"])
    assert (scheduled.second, scheduled.microsecond) == (0, 0)
    token = call.headers["authorization"].removeprefix("Bearer ")
    claims = id_token.verify_token(token, Request(), target.url, f"{accounts.url}/oauth2/v3/certs")
    assert (claims["email"], claims["email_verified"]) == (SCHEDULER, True)


def test_each_minute_brings_one_run_with_its_own_time(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    """And a job of every fifth minute runs a fifth as often."""
    start_scheduler(target.url, a_job("every"), a_job("fifth", schedule="*/5 * * * *", path="/fifth"))
    eventually(lambda: len([call for call in target.calls if call.path == "/fifth"]) >= 2)
    times = {"/": [], "/fifth": []}
    for call in list(target.calls):
        times[call.path].append(datetime.fromisoformat(call.headers["x-cloudscheduler-scheduletime"]))
    assert len(set(times["/"])) == len(times["/"]) >= 6
    assert {time.minute % 5 for time in times["/fifth"]} == {0}


def test_a_job_can_run_now(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, eventually: Any
) -> None:
    scheduler = start_scheduler(target.url, a_job(schedule="0 0 1 1 *"))
    assert scheduler.run("sweep").status_code == 200
    eventually(lambda: scheduler.job("sweep")["lastRun"] is not None)
    assert scheduler.job("sweep")["lastRun"]["httpStatus"] == 200
    assert len(target.calls) == 1


def test_an_unknown_job_is_not_found_and_the_answer_names_those_there_are(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any
) -> None:
    answer = start_scheduler(target.url, a_job()).run("swep")
    assert answer.status_code == 404
    assert "sweep" in answer.json()["error"]["message"]
