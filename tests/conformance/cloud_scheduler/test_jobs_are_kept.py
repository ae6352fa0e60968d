"""Jobs are created, read, listed and deleted."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, Conflict, NotFound
from google.cloud.scheduler_v1.types import HttpMethod, HttpTarget, Job

from tests.conformance.check import check
from tests.conformance.cloud_scheduler.jobs import ISSUES, ONCE, PROTO, refused

_SERVICE = f"{PROTO}/cloudscheduler.proto"
_JOB = f"{PROTO}/job.proto"


@check("JOB-001", source=f"{_JOB}, Job.name, Job.state, Job.user_update_time")
def test_create(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """A created job has the name that was asked for, is ENABLED, and says when it was created."""
    asked = wanted()
    job = client.create_job(parent=parent, job=asked, **ONCE)
    assert (job.name, job.state) == (asked.name, Job.State.ENABLED)
    assert job.user_update_time is not None
    assert client.get_job(name=job.name, **ONCE) == job


@check("JOB-002", source=f"{_SERVICE}, CreateJobRequest.job: a random unique name is generated")
def test_create_without_a_name(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """A job without a name gets a random one under the parent."""
    asked = wanted()
    asked.name = ""
    names = [client.create_job(parent=parent, job=asked, **ONCE).name for _ in range(2)]
    for name in names:
        client.delete_job(name=name, **ONCE)
    assert names[0] != names[1]
    assert all(name.startswith(f"{parent}/jobs/") for name in names)


@check("JOB-003", source=f"{ISSUES}/hashicorp/terraform-provider-google/issues/16919: Error 409")
def test_create_twice(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """The name of an existing job is ALREADY_EXISTS, with its name in the message."""
    job = wanted()
    client.create_job(parent=parent, job=job, **ONCE)
    # Over REST the library knows 409 as Conflict alone.
    with pytest.raises((AlreadyExists, Conflict), match=f"Job {job.name} already exists"):
        client.create_job(parent=parent, job=job, **ONCE)


@check("JOB-004", source=f"{ISSUES}/googleapis/nodejs-scheduler/issues/114")
def test_a_name_is_whole(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """A name that is only a job id is INVALID_ARGUMENT: it must be formatted projects/P/locations/L/jobs/J."""
    with refused(saying="Job name must be formatted"):
        client.create_job(parent=parent, job=wanted(name="nameJob"), **ONCE)


@check("JOB-005", source=f"{_JOB}, Job.name: letters, numbers, hyphens, underscores; 500 characters")
@pytest.mark.parametrize(("job_id", "taken"), [("a-B_9" * 100, True), ("a" * 501, False), ("a.b", False)])
def test_job_ids(client: Any, parent: str, wanted: Callable[..., Job], job_id: str, taken: bool) -> None:
    """A job id has up to 500 letters, numbers, hyphens and underscores."""
    asked = wanted(name=f"{parent}/jobs/{job_id}")
    if taken:
        assert client.create_job(parent=parent, job=asked, **ONCE).name == asked.name
    else:
        with refused(saying="Job name must be formatted"):
            client.create_job(parent=parent, job=asked, **ONCE)


@check("JOB-006", source=f"{_JOB}, Job.attempt_deadline: the default for HTTP targets is 3 minutes")
def test_default_deadline(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """Without an attempt deadline it is 180 seconds."""
    job = client.create_job(parent=parent, job=wanted(), **ONCE)
    assert job.attempt_deadline.total_seconds() == 180


@check("JOB-007", source=f"{_JOB}, RetryConfig")
def test_default_retries(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """Without a retry configuration: no retry, back-off from 5 seconds to 1 hour, 5 doublings."""
    retry = client.create_job(parent=parent, job=wanted(), **ONCE).retry_config
    shortest, longest = (
        field.total_seconds() for field in (retry.min_backoff_duration, retry.max_backoff_duration)
    )
    assert (retry.retry_count, shortest, longest, retry.max_doublings) == (0, 5, 3600, 5)


@check("JOB-008", source=f"{PROTO}/target.proto, HttpMethod: unspecified defaults to POST")
def test_default_method(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """Without a method a target is called with POST."""
    job = client.create_job(parent=parent, job=wanted(), **ONCE)
    assert job.http_target.http_method == HttpMethod.POST


@check("JOB-009", source=f"{_JOB}, Job.time_zone: the default will be in UTC")
def test_default_zone(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """Without a time zone a schedule is read in UTC."""
    job = client.create_job(parent=parent, job=wanted(schedule="30 4 1 1 *"), **ONCE)
    due = job.schedule_time.astimezone(UTC)
    assert (due.month, due.day, due.hour, due.minute) == (1, 1, 4, 30)


@check("JOB-010", source=f"{_JOB}, Job.schedule_time: the next time the job is scheduled")
def test_next_time(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """The schedule time of a new job is the first of its schedule, in its zone, that is still to come."""
    asked = wanted(schedule="30 9 * * *", time_zone="Asia/Tokyo")
    due = client.create_job(parent=parent, job=asked, **ONCE).schedule_time.astimezone(UTC)
    assert (due.hour, due.minute, due.second) == (0, 30, 0)
    assert 0 < (due - datetime.now(UTC)).total_seconds() <= 86400


@check("JOB-011", source=f"{_JOB}: output only fields")
def test_output_only_fields_are_not_set(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """What a new job says of its state, its last attempt and its next time is ignored."""
    then = datetime(2001, 1, 1, tzinfo=UTC)
    asked = wanted(
        state=Job.State.DISABLED, last_attempt_time=then, schedule_time=then, user_update_time=then
    )
    job = client.create_job(parent=parent, job=asked, **ONCE)
    assert job.state == Job.State.ENABLED
    assert job.last_attempt_time is None
    assert job.schedule_time > then < job.user_update_time


@check("JOB-012", source=f"{_SERVICE}, GetJob; google.rpc.Code.NOT_FOUND")
def test_get_what_is_not_there(client: Any, parent: str) -> None:
    """A job that does not exist is NOT_FOUND."""
    with pytest.raises(NotFound):
        client.get_job(name=f"{parent}/jobs/nobody", **ONCE)


@check("JOB-013", source=f"{_SERVICE}, DeleteJob; google.rpc.Code.NOT_FOUND")
def test_delete(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """A deleted job is gone at once; deleting it again is NOT_FOUND."""
    job = client.create_job(parent=parent, job=wanted(), **ONCE)
    client.delete_job(name=job.name, **ONCE)
    for call in (client.get_job, client.delete_job):
        with pytest.raises(NotFound):
            call(name=job.name, **ONCE)


@check("JOB-014", source=f"{_SERVICE}, ListJobsRequest.page_size, ListJobsResponse.next_page_token")
def test_pages(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """The pages of a list hold no more than was asked for, and every job once."""
    made = {client.create_job(parent=parent, job=wanted(), **ONCE).name for _ in range(5)}
    pager = client.list_jobs(request={"parent": parent, "page_size": 2}, **ONCE)
    pages = [[job.name for job in page.jobs] for page in pager.pages]
    listed = [name for page in pages for name in page]
    assert max(map(len, pages)) == 2
    assert len(listed) == len(set(listed))
    assert made <= set(listed)


@check("JOB-015", source=f"{_SERVICE}, ListJobsRequest.page_size: the maximum is 500", assumed=True)
def test_too_large_a_page(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """A page size above the maximum is taken for the maximum, not refused."""
    job = client.create_job(parent=parent, job=wanted(), **ONCE)
    assert job in list(client.list_jobs(request={"parent": parent, "page_size": 5000}, **ONCE))


@check(
    "JOB-016", source=f"{_SERVICE}, ListJobsRequest.page_token: the value of next_page_token", assumed=True
)
def test_a_token_from_nowhere(client: Any, parent: str) -> None:
    """A page token that no list has given is INVALID_ARGUMENT."""
    with refused():
        client.list_jobs(request={"parent": parent, "page_token": "!"}, **ONCE)


@check("JOB-017", source=f"{_JOB}, Job.description: human-readable; target.proto, HttpTarget")
def test_what_was_said_is_kept(client: Any, parent: str, wanted: Callable[..., Job]) -> None:
    """Description, headers and body come back as they were given."""
    http = HttpTarget(uri="https://example.com/a?b=c", headers={"X-A": "b, c"}, body=b"\x00\xff")
    job = client.create_job(parent=parent, job=wanted(description="What for", http_target=http), **ONCE)
    assert job.description == "What for"
    assert job.http_target.body == b"\x00\xff"
    assert dict(job.http_target.headers)["X-A"] == "b, c"
