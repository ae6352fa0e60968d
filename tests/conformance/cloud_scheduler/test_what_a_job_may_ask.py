"""What Cloud Scheduler takes and what it refuses, by field."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.cloud.scheduler_v1.types import HttpMethod, HttpTarget, Job, OidcToken

from tests.conformance.check import check
from tests.conformance.cloud_scheduler.jobs import CRON, ISSUES, ONCE, PROTO, refused

_JOB = f"{PROTO}/job.proto"
_TARGET = f"{PROTO}/target.proto"
URI = "https://example.com/"


@pytest.fixture
def create(client: Any, parent: str, wanted: Callable[..., Job]) -> Callable[..., Job]:
    """Creates a job with these fields."""
    return lambda **fields: client.create_job(parent=parent, job=wanted(**fields), **ONCE)


@check("JOB-021", source=f"{_JOB}, Job.attempt_deadline: in the interval [15 seconds, 30 minutes]")
@pytest.mark.parametrize("seconds", [15, 1800])
def test_deadlines(create: Callable[..., Job], seconds: int) -> None:
    """An attempt deadline of 15 seconds or 30 minutes is taken."""
    assert create(attempt_deadline=timedelta(seconds=seconds)).attempt_deadline.total_seconds() == seconds


@check("JOB-022", source=f"{_JOB}, Job.attempt_deadline: in the interval [15 seconds, 30 minutes]")
@pytest.mark.parametrize("seconds", [14, 1801])
def test_deadlines_outside(create: Callable[..., Job], seconds: int) -> None:
    """A shorter or longer attempt deadline is INVALID_ARGUMENT."""
    with refused():
        create(attempt_deadline=timedelta(seconds=seconds))


@check("JOB-023", source=f"{_JOB}, RetryConfig.retry_count: greater than 5 and negative not allowed")
@pytest.mark.parametrize(("count", "taken"), [(0, True), (5, True), (6, False), (-1, False)])
def test_retry_count(create: Callable[..., Job], count: int, taken: bool) -> None:
    """A retry count is from 0 to 5."""
    if taken:
        assert create(retry_config={"retry_count": count}).retry_config.retry_count == count
    else:
        with refused():
            create(retry_config={"retry_count": count})


@check("JOB-024", source=f"{_JOB}, RetryConfig: durations and doublings", assumed=True)
@pytest.mark.parametrize(
    "retry",
    [
        {"max_doublings": -1},
        {"min_backoff_duration": timedelta(seconds=-1)},
        {"min_backoff_duration": timedelta(seconds=20), "max_backoff_duration": timedelta(seconds=10)},
    ],
)
def test_senseless_retries(create: Callable[..., Job], retry: dict[str, Any]) -> None:
    """Negative doublings, negative waits, and a shortest wait above the longest are INVALID_ARGUMENT."""
    with refused():
        create(retry_config=retry)


@check("JOB-025", source=f"{CRON}: minute, hour, day of the month, month, day of the week")
@pytest.mark.parametrize(
    "schedule",
    ["*/5 * * * *", "0 9-17/2 * * MON-FRI", "0,30 1 * JAN,JUL *", "0 0 1 * SAT", "0 0 * * 7", "15 4 31 12 0"],
)
def test_schedules(create: Callable[..., Job], schedule: str) -> None:
    """A schedule has values, names, lists, ranges and steps; Sunday is 0 or 7."""
    assert create(schedule=schedule).schedule == schedule


@check("JOB-026", source=f"{ISSUES}/hashicorp/terraform/issues/31571; {CRON}: L is not supported")
@pytest.mark.parametrize("schedule", ["", "* * * *", "0 0 * * * *", "60 * * * *", "0 24 * * *", "0 0 L * *"])
def test_schedules_that_are_none(create: Callable[..., Job], schedule: str) -> None:
    """A missing or malformed schedule is INVALID_ARGUMENT: Schedule or time zone is invalid."""
    with refused(saying="Schedule or time zone is invalid"):
        create(schedule=schedule)


@check("JOB-027", source=f"{_JOB}, Job.time_zone: a name from the tz database; for UTC the string utc")
@pytest.mark.parametrize("zone", ["utc", "Europe/Rome", "America/Argentina/Buenos_Aires", "Etc/UTC"])
def test_zones(create: Callable[..., Job], zone: str) -> None:
    """A time zone is a name of the tz database, or utc."""
    assert create(time_zone=zone).time_zone == zone


@check("JOB-028", source=f"{ISSUES}/hashicorp/terraform/issues/31571: Schedule or time zone is invalid")
@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "+02:00"])
def test_zones_that_are_none(create: Callable[..., Job], zone: str) -> None:
    """Another time zone is INVALID_ARGUMENT: Schedule or time zone is invalid."""
    with refused(saying="Schedule or time zone is invalid"):
        create(time_zone=zone)


@check("JOB-029", source=f"{_TARGET}, HttpTarget.uri: must begin with http:// or https://")
@pytest.mark.parametrize("uri", ["", "example.com", "ftp://example.com/", "https://", "http://a:b:c/"])
def test_uris_that_are_none(create: Callable[..., Job], uri: str) -> None:
    """A URI that does not begin with http:// or https:// and a host is INVALID_ARGUMENT."""
    with refused():
        create(http_target=HttpTarget(uri=uri))


@check("JOB-030", source=f"{_TARGET}, HttpTarget.uri: at most 2083 characters after encoding")
@pytest.mark.parametrize(("length", "taken"), [(2083, True), (2084, False)])
def test_long_uris(create: Callable[..., Job], length: int, taken: bool) -> None:
    """A URI has at most 2083 characters."""
    target = HttpTarget(uri=URI.ljust(length, "a"))
    if taken:
        assert len(create(http_target=target).http_target.uri) == length
    else:
        with refused():
            create(http_target=target)


@check("JOB-031", source=f"{_TARGET}, HttpTarget.body: only if the method is POST, PUT, or PATCH")
@pytest.mark.parametrize("method", list(HttpMethod)[1:])
def test_bodies(create: Callable[..., Job], method: HttpMethod) -> None:
    """A body with another method than POST, PUT or PATCH is INVALID_ARGUMENT."""
    target = HttpTarget(uri=URI, http_method=method, body=b"x")
    if method in (HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH):
        assert create(http_target=target).http_target.body == b"x"
    else:
        with refused():
            create(http_target=target)


@check("JOB-032", source=f"{_TARGET}, HttpTarget.headers: the total size must be less than 80KB")
def test_large_headers(create: Callable[..., Job]) -> None:
    """Headers of 80 KB together are INVALID_ARGUMENT."""
    with refused():
        create(http_target=HttpTarget(uri=URI, headers={f"X-{index}": "a" * 1024 for index in range(80)}))


@check("JOB-033", source=f"{_JOB}, Job.description: not more than 500 characters")
@pytest.mark.parametrize(("length", "taken"), [(500, True), (501, False)])
def test_descriptions(create: Callable[..., Job], length: int, taken: bool) -> None:
    """A description has at most 500 characters."""
    if taken:
        assert len(create(description="ä" * length).description) == length
    else:
        with refused():
            create(description="ä" * length)


@check("JOB-034", source=f"{_JOB}, Job.target: the target is required", assumed=True)
def test_no_target(create: Callable[..., Job]) -> None:
    """A job without a target is INVALID_ARGUMENT."""
    with refused():
        create(http_target=None)


@check("JOB-035", source=f"{_TARGET}, OidcToken.service_account_email", assumed=True)
def test_a_token_of_nobody(create: Callable[..., Job]) -> None:
    """An OIDC token without a service account is INVALID_ARGUMENT."""
    with refused():
        create(http_target=HttpTarget(uri=URI, oidc_token=OidcToken(audience="a")))


@check("JOB-036", source="google/rpc/error_details.proto, BadRequest: all client errors", assumed=True)
def test_every_bad_field_is_named(create: Callable[..., Job]) -> None:
    """One answer names every field that is wrong."""
    wrong = {"schedule": "never", "time_zone": "Mars/Olympus", "retry_config": {"retry_count": 9}}
    with refused("schedule", "time_zone", "retry_config.retry_count", "http_target.uri"):
        create(**wrong, http_target=HttpTarget(uri="nowhere"))


@check("JOB-037", source=f"{_JOB}: the maximum allowed size for a job is 1MB")
def test_a_large_job(create: Callable[..., Job]) -> None:
    """A job of more than 1 MB is INVALID_ARGUMENT."""
    with refused():
        create(http_target=HttpTarget(uri=URI, body=b"x" * (1 << 20)))
