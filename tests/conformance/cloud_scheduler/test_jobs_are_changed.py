"""Updates by mask, and the states that a job can be put in."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, FailedPrecondition, NotFound
from google.cloud.scheduler_v1.types import HttpTarget, Job

from tests.conformance.check import check
from tests.conformance.cloud_scheduler.jobs import ISSUES, ONCE, PROTO, refused

_SERVICE = f"{PROTO}/cloudscheduler.proto"


@pytest.fixture
def job(client: Any, parent: str, wanted: Callable[..., Job]) -> Job:
    """A job with a setting of each kind."""
    asked = wanted(
        description="before",
        http_target=HttpTarget(uri="https://example.com/", headers={"X-A": "a"}),
        retry_config={"retry_count": 2, "max_doublings": 3},
        attempt_deadline=timedelta(seconds=60),
    )
    return client.create_job(parent=parent, job=asked, **ONCE)


@pytest.fixture
def update(client: Any, job: Job) -> Callable[..., Job]:
    """Updates the job's fields that are named by the mask's paths."""

    def change(*paths: str, **fields: Any) -> Job:
        new = Job({"name": job.name} | fields)
        return client.update_job(job=new, update_mask={"paths": list(paths)}, **ONCE)

    return change


@check("JOB-041", source=f"{_SERVICE}, UpdateJobRequest.update_mask: which fields are being updated")
def test_masks(update: Callable[..., Job], job: Job) -> None:
    """An update changes the fields of its mask and no others."""
    changed = update(
        "description", "schedule", description="after", schedule="5 5 5 5 *", time_zone="Asia/Tokyo"
    )
    assert (changed.description, changed.schedule, changed.time_zone) == ("after", "5 5 5 5 *", job.time_zone)
    assert changed.http_target == job.http_target
    assert changed.retry_config == job.retry_config


@check("JOB-042", source="google.aip.dev/134, update masks; google.protobuf.FieldMask", assumed=True)
def test_masked_and_absent(update: Callable[..., Job]) -> None:
    """A field that the mask names and the job lacks gets its default."""
    changed = update("description", "attempt_deadline", "retry_config")
    assert (changed.description, changed.attempt_deadline.total_seconds()) == ("", 180)
    assert (changed.retry_config.retry_count, changed.retry_config.max_doublings) == (0, 5)


@check("JOB-043", source="google.protobuf.FieldMask: a sub-message's field by its path")
def test_nested_masks(update: Callable[..., Job], job: Job) -> None:
    """A path into a message changes that part alone."""
    new = HttpTarget(uri="https://example.com/new", headers={"X-B": "b"})
    changed = update(
        "http_target.uri", "retry_config.retry_count", http_target=new, retry_config={"retry_count": 4}
    )
    assert changed.http_target.uri == "https://example.com/new"
    assert dict(changed.http_target.headers)["X-A"] == "a"
    assert (changed.retry_config.retry_count, changed.retry_config.max_doublings) == (4, 3)


@check("JOB-044", source="google.aip.dev/134: without a mask, the fields that are populated", assumed=True)
def test_no_mask(update: Callable[..., Job]) -> None:
    """Without a mask the fields that are set are changed."""
    changed = update(description="after")
    assert (changed.description, changed.retry_config.retry_count) == ("after", 2)


@check("JOB-045", source="google.aip.dev/161: an invalid path is INVALID_ARGUMENT")
def test_paths_that_are_none(client: Any, job: Job) -> None:
    """A path that no job has is INVALID_ARGUMENT."""
    with refused():
        client.update_job(job=Job(name=job.name), update_mask={"paths": ["colour"]}, **ONCE)


@check("JOB-046", source=f"{_SERVICE}, UpdateJobRequest.job: output only values are ignored")
def test_output_only(update: Callable[..., Job], job: Job) -> None:
    """State, status and times cannot be updated: what is said of them is ignored."""
    then = datetime(2001, 1, 1, tzinfo=UTC)
    changed = update("state", "schedule_time", state=Job.State.PAUSED, schedule_time=then)
    assert (changed.state, changed.schedule_time) == (Job.State.ENABLED, job.schedule_time)


@check("JOB-047", source=f"{_SERVICE}, UpdateJob: if the job does not exist, NOT_FOUND is returned")
def test_update_what_is_not_there(client: Any, parent: str) -> None:
    """Updating a job that does not exist is NOT_FOUND."""
    nobody = Job(name=f"{parent}/jobs/nobody", description="x")
    with pytest.raises(NotFound):
        client.update_job(job=nobody, update_mask={"paths": ["description"]}, **ONCE)


@check("JOB-048", source=f"{_SERVICE}, UpdateJob; job.proto: the same rules as at creation", assumed=True)
def test_an_update_to_nonsense(client: Any, update: Callable[..., Job], job: Job) -> None:
    """An update to what a new job could not be is INVALID_ARGUMENT, and changes nothing."""
    with refused(saying="Schedule or time zone is invalid"):
        update("description", "schedule", description="after", schedule="never")
    assert client.get_job(name=job.name, **ONCE) == job


@check("JOB-049", source=f"{_SERVICE}, UpdateJob; job.proto, Job.schedule_time", assumed=True)
def test_a_new_schedule(update: Callable[..., Job]) -> None:
    """A new schedule counts from now."""
    due = update("schedule", schedule="* * * * *").schedule_time
    assert due - datetime.now(UTC) < timedelta(minutes=2)


@check("JOB-050", source=f"{_SERVICE}, PauseJob: the state will be set to PAUSED")
def test_pause(client: Any, job: Job) -> None:
    """A paused job says so."""
    assert client.pause_job(name=job.name, **ONCE).state == Job.State.PAUSED
    assert client.get_job(name=job.name, **ONCE).state == Job.State.PAUSED


@check("JOB-051", source=f"{_SERVICE}, PauseJob, ResumeJob: a job must be ENABLED, PAUSED", assumed=True)
def test_only_from_the_other_state(client: Any, job: Job) -> None:
    """Pausing what is paused, and resuming what is not, is FAILED_PRECONDITION."""
    with pytest.raises((FailedPrecondition, BadRequest)):
        client.resume_job(name=job.name, **ONCE)
    client.pause_job(name=job.name, **ONCE)
    with pytest.raises((FailedPrecondition, BadRequest)):
        client.pause_job(name=job.name, **ONCE)


@check("JOB-052", source=f"{_SERVICE}, ResumeJob: the state will be set to ENABLED")
def test_resume(client: Any, job: Job) -> None:
    """A resumed job is ENABLED, and its next time is the next of its schedule."""
    client.pause_job(name=job.name, **ONCE)
    resumed = client.resume_job(name=job.name, **ONCE)
    assert (resumed.state, resumed.schedule_time) == (Job.State.ENABLED, job.schedule_time)


@check("JOB-053", source=f"{ISSUES}/BasedHardware/omi/pull/11258: updating retains a paused state")
def test_an_update_while_paused(client: Any, update: Callable[..., Job], job: Job) -> None:
    """An update leaves a paused job paused."""
    client.pause_job(name=job.name, **ONCE)
    assert update("schedule", schedule="* * * * *").state == Job.State.PAUSED


@check("JOB-054", source=f"{_SERVICE}, PauseJob, ResumeJob, RunJob; google.rpc.Code.NOT_FOUND")
@pytest.mark.parametrize("method", ["pause_job", "resume_job", "run_job"])
def test_what_is_not_there_has_no_state(client: Any, parent: str, method: str) -> None:
    """Pausing, resuming or running a job that does not exist is NOT_FOUND."""
    with pytest.raises(NotFound):
        getattr(client, method)(name=f"{parent}/jobs/nobody", **ONCE)
