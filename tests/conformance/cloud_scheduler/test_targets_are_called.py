"""What a target gets, and what its answer means."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from google.auth.transport.requests import Request
from google.cloud.scheduler_v1.types import HttpMethod, HttpTarget, Job, OAuthToken, OidcToken
from google.oauth2 import id_token
from google.rpc import code_pb2

from tests.conformance.check import check
from tests.conformance.cloud_scheduler.jobs import ISSUES, ONCE, PROTO, RETRIES
from tests.emulator_processes import API, IdentityEmulator, eventually
from tests.emulators.cloud_scheduler.target import Target

pytestmark = pytest.mark.emulator_only

_TARGET = f"{PROTO}/target.proto"
_JOB = f"{PROTO}/job.proto"


@check("JOB-061", source=f"{_TARGET}, HttpTarget.headers: User-Agent, X-CloudScheduler and its kind")
def test_headers(called: Callable[..., Job], target: Target) -> None:
    """A call says that it is Google-Cloud-Scheduler's, for which job, and for which time."""
    job = called(http_target=HttpTarget(uri=f"{target.url}/path?query=1"))
    (call,) = target.calls
    assert (call.method, call.path) == ("POST", "/path?query=1")
    assert call.headers["user-agent"] == "Google-Cloud-Scheduler"
    assert call.headers["x-cloudscheduler"] == "true"
    assert call.headers["x-cloudscheduler-jobname"] == job.name.rpartition("/")[2]
    assert call.headers["host"] == target.url.removeprefix("http://")


@check("JOB-062", source=f"{_TARGET}, X-CloudScheduler-ScheduleTime: an offset of UTC, RFC3339")
def test_schedule_time(called: Callable[..., Job], target: Target, held: Any) -> None:
    """The schedule time is RFC 3339 with the offset of the job's zone."""
    called(http_target=HttpTarget(uri=target.url), time_zone="Asia/Tokyo")
    assert target.calls[0].scheduled.utcoffset() == timedelta(hours=9)
    assert abs(target.calls[0].scheduled - held.now()) < timedelta(minutes=1)


@check("JOB-063", source=f"{_TARGET}, HttpTarget.headers: headers that are ignored or replaced")
def test_own_headers(called: Callable[..., Job], target: Target) -> None:
    """A job's own headers are sent, but for those that Cloud Scheduler sets or keeps to itself."""
    headers = {
        "X-Mine": "a, b",
        "User-Agent": "me",
        "Host": "elsewhere.example",
        "Content-Length": "77",
        "X-CloudScheduler": "false",
        "X-Google-Secret": "x",
        "X-AppEngine-Cron": "true",
    }
    called(http_target=HttpTarget(uri=target.url, headers=headers, body=b"body"))
    sent = target.calls[0].headers
    assert sent["x-mine"] == "a, b"
    assert (sent["user-agent"], sent["x-cloudscheduler"]) == ("Google-Cloud-Scheduler", "true")
    assert (sent["content-length"], target.calls[0].body) == ("4", b"body")
    assert sent["host"] != "elsewhere.example"
    assert not {"x-google-secret", "x-appengine-cron"} & sent.keys()


@check("JOB-064", source=f"{_TARGET}, Content-Type: application/octet-stream, may be overridden")
@pytest.mark.parametrize(
    ("headers", "sent"),
    [({}, "application/octet-stream"), ({"content-type": "application/json"}, "application/json")],
)
def test_content_type(called: Callable[..., Job], target: Target, headers: Any, sent: str) -> None:
    """A body is application/octet-stream unless the job says what it is."""
    called(http_target=HttpTarget(uri=target.url, headers=headers, body=b"{}"))
    assert target.calls[0].headers["content-type"] == sent


@check("JOB-065", source=f"{_TARGET}, HttpMethod")
@pytest.mark.parametrize("method", list(HttpMethod)[1:])
def test_methods(called: Callable[..., Job], target: Target, method: HttpMethod) -> None:
    """A target is called with the job's method."""
    called(http_target=HttpTarget(uri=target.url, http_method=method))
    assert target.calls[0].method == method.name


def _claims(target: Target, identity: IdentityEmulator, audience: str) -> dict[str, Any]:
    token = target.calls[0].headers["authorization"].removeprefix("Bearer ")
    claims: dict[str, Any] = id_token.verify_token(
        token, Request(), audience, f"{identity.url}/oauth2/v3/certs"
    )
    return claims


@check("JOB-066", source=f"{_TARGET}, OidcToken.audience")
def test_oidc(called: Callable[..., Job], target: Target, identity_emulator: IdentityEmulator) -> None:
    """An OIDC token is the service account's, for the audience."""
    token = OidcToken(service_account_email=API, audience="https://audience.example")
    called(http_target=HttpTarget(uri=target.url, oidc_token=token))
    assert _claims(target, identity_emulator, "https://audience.example")["email"] == API


@check("JOB-067", source=f"{_TARGET}, OidcToken.audience: if not specified, the URI will be used")
def test_default_audience(
    called: Callable[..., Job], target: Target, identity_emulator: IdentityEmulator
) -> None:
    """Without an audience the token is for the target's URI."""
    uri = f"{target.url}/path"
    called(http_target=HttpTarget(uri=uri, oidc_token=OidcToken(service_account_email=API)))
    assert _claims(target, identity_emulator, uri)["aud"] == uri


@check("JOB-068", source=f"{_TARGET}, OAuthToken.scope: if not specified, cloud-platform")
def test_oauth(called: Callable[..., Job], target: Target) -> None:
    """An OAuth token is the service account's, for cloud-platform."""
    called(http_target=HttpTarget(uri=target.url, oauth_token=OAuthToken(service_account_email=API)))
    token = target.calls[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["email"], claims["scope"]) == (API, "https://www.googleapis.com/auth/cloud-platform")


@check("JOB-069", source=f"{_TARGET}, HttpTarget: acknowledged by a code in the range [200 - 299]")
@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_acknowledged(called: Callable[..., Job], target: Target, status: int) -> None:
    """Any 2xx is a success: the status is OK."""
    target.statuses.append(status)
    job = called(http_target=HttpTarget(uri=target.url))
    assert "status" in job
    assert job.status.code == code_pb2.OK


@check("JOB-070", source=f"google/rpc/code.proto; {ISSUES}/GoogleCloudPlatform/gcr-cleaner/issues/121")
@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 3), (401, 16), (403, 7), (404, 5), (409, 10), (429, 8), (500, 13), (501, 12), (503, 14), (504, 4)],
)
def test_failed(called: Callable[..., Job], target: Target, status: int, code: int) -> None:
    """Another answer is a failure, whose code is the one that is paired with the HTTP status."""
    target.statuses.append(status)
    assert called(http_target=HttpTarget(uri=target.url)).status.code == code


@check(
    "JOB-071", source=f"{ISSUES}/google/exposure-notifications-verification-server/pull/1604", assumed=True
)
@pytest.mark.parametrize(("status", "code"), [(304, 2), (418, 9), (502, 13)])
def test_other_failures(called: Callable[..., Job], target: Target, status: int, code: int) -> None:
    """A status without a code of its own: 4xx is FAILED_PRECONDITION, 5xx INTERNAL, 3xx UNKNOWN."""
    target.statuses.append(status)
    assert called(http_target=HttpTarget(uri=target.url)).status.code == code


@check("JOB-072", source=f"{_TARGET}, HttpTarget: the response of the redirected request is considered")
@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 13)])
def test_redirects(called: Callable[..., Job], target: Target, status: int, code: int) -> None:
    """A redirect is followed, and the answer there counts."""
    target.statuses.extend([307, status])
    assert called(http_target=HttpTarget(uri=target.url)).status.code == code
    assert [call.path for call in target.calls] == ["/", "/moved"]


@check("JOB-073", source=f"{_TARGET}, HttpTarget: a failure to receive a response", assumed=True)
def test_nobody_there(called: Callable[..., Job]) -> None:
    """A target that cannot be reached is UNAVAILABLE."""
    assert called(http_target=HttpTarget(uri="http://127.0.0.1:1/")).status.code == code_pb2.UNAVAILABLE


@check("JOB-074", source=f"{_JOB}, Job.last_attempt_time: the time the last attempt started")
def test_last_attempt(called: Callable[..., Job], target: Target, held: Any) -> None:
    """A job says when it was last tried."""
    job = called(http_target=HttpTarget(uri=target.url))
    assert abs(job.last_attempt_time.astimezone(UTC) - held.now()) < timedelta(seconds=1)


@check("JOB-075", source=f"{PROTO}/cloudscheduler.proto, RunJob: even if the job is already running")
def test_run_while_running(called: Callable[..., Job], caller: Any, target: Target) -> None:
    """A job that runs can be run by hand beside that."""
    job = called(http_target=HttpTarget(uri=target.url))
    target.gate.clear()
    for count in (2, 3):
        caller.run_job(name=job.name, **ONCE)
        eventually(lambda count=count: len(target.calls) == count)
    assert target.at_once == 2


@check("JOB-076", source=f"{PROTO}/cloudscheduler.proto, RunJob: forces a job to run now", assumed=True)
def test_run_while_paused(called: Callable[..., Job], caller: Any, target: Target) -> None:
    """A paused job can be run by hand, and stays paused."""
    job = called(http_target=HttpTarget(uri=target.url))
    caller.pause_job(name=job.name, **ONCE)
    assert caller.run_job(name=job.name, **ONCE).state == Job.State.PAUSED
    eventually(lambda: len(target.calls) == 2)


@check("JOB-077", source=f"{RETRIES}: if retryCount is 0, a job attempt will not be retried")
def test_no_retry(called: Callable[..., Job], target: Target, held: Any) -> None:
    """Without a retry count a failed run is not tried again."""
    target.statuses.append(500)
    called(http_target=HttpTarget(uri=target.url))
    held.advance(7200)
    assert len(target.calls) == 1


@check("JOB-078", source=f"{_JOB}, Job.attempt_deadline: marked as a DEADLINE_EXCEEDED failure")
def test_deadline(caller: Any, parent: str, wanted: Callable[..., Job], target: Target, held: Any) -> None:
    """A target that does not answer by the deadline is DEADLINE_EXCEEDED."""
    target.gate.clear()
    asked = wanted(http_target=HttpTarget(uri=target.url), attempt_deadline=timedelta(seconds=15))
    job = caller.create_job(parent=parent, job=asked, **ONCE)
    caller.run_job(name=job.name, **ONCE)
    eventually(lambda: len(target.calls) == 1)
    held.advance(16)
    eventually(lambda: bool(held.attempts(job.name)))
    assert caller.get_job(name=job.name, **ONCE).status.code == code_pb2.DEADLINE_EXCEEDED


def _starts(held: Any, job: Job) -> list[float]:
    """When the attempts began, in seconds after the first."""
    times = [datetime.fromisoformat(attempt["startTime"]) for attempt in held.attempts(job.name)]
    return [round((time - times[0]).total_seconds()) for time in times]


@check("JOB-079", source=f"{_JOB}, RetryConfig.max_doublings: the example 10s, 20s, 40s, 80s, 160s")
def test_back_off(called: Callable[..., Job], target: Target, held: Any) -> None:
    """The waits double max_doublings times and grow evenly then; the job is tried retry_count times again."""
    target.statuses.extend([500] * 10)
    retry = {"retry_count": 5, "min_backoff_duration": timedelta(seconds=10), "max_doublings": 3}
    job = called(http_target=HttpTarget(uri=target.url), retry_config=retry)
    held.advance(86400)
    assert _starts(held, job) == [0, 10, 30, 70, 150, 310]


@check("JOB-080", source=f"{_JOB}, RetryConfig.max_backoff_duration: the maximum time to wait")
def test_longest_wait(called: Callable[..., Job], target: Target, held: Any) -> None:
    """No wait is longer than max_backoff_duration."""
    target.statuses.extend([500] * 10)
    seconds = {"min_backoff_duration": timedelta(seconds=10), "max_backoff_duration": timedelta(seconds=25)}
    job = called(http_target=HttpTarget(uri=target.url), retry_config={"retry_count": 4, **seconds})
    held.advance(86400)
    assert _starts(held, job) == [0, 10, 30, 55, 80]


@check("JOB-081", source=f"{RETRIES}: retried until both limits are reached")
def test_both_limits(called: Callable[..., Job], target: Target, held: Any) -> None:
    """With a count and a duration a job is tried until both are reached."""
    target.statuses.extend([500] * 20)
    seconds = {name: timedelta(seconds=10) for name in ("min_backoff_duration", "max_backoff_duration")}
    retry = {"retry_count": 2, "max_retry_duration": timedelta(seconds=50), **seconds}
    job = called(http_target=HttpTarget(uri=target.url), retry_config=retry)
    held.advance(86400)
    assert _starts(held, job) == [0, 10, 20, 30, 40, 50]


@check("JOB-082", source=f"{_JOB}, RetryConfig: until an acknowledgement is received")
def test_retries_end(called: Callable[..., Job], target: Target, held: Any) -> None:
    """What succeeds at last is not tried again, and its status is OK."""
    target.statuses.extend([500, 500])
    job = called(http_target=HttpTarget(uri=target.url), retry_config={"retry_count": 5})
    held.advance(86400)
    assert _starts(held, job) == [0, 5, 15]
    assert [attempt["code"] for attempt in held.attempts(job.name)] == [13, 13, 0]
