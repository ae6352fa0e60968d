"""What can be asked of Cloud Scheduler?  The methods of `google.cloud.scheduler.v1.CloudScheduler`."""

from base64 import b64decode, urlsafe_b64encode
from typing import Any

from google.cloud.scheduler_v1.types import (
    CreateJobRequest,
    DeleteJobRequest,
    GetJobRequest,
    Job,
    ListJobsRequest,
    ListJobsResponse,
    PauseJobRequest,
    ResumeJobRequest,
    RunJobRequest,
    UpdateJobRequest,
)
from google.protobuf.empty_pb2 import Empty

from emulators.cloud_scheduler.jobs import Jobs
from emulators.errors import ApiError, Code
from emulators.rpc.method import Method

_SERVICE = "google.cloud.scheduler.v1.CloudScheduler"
_PARENT = "/v1/{parent=projects/*/locations/*}/jobs"
_NAME = "/v1/{name=projects/*/locations/*/jobs/*}"
_LARGEST_PAGE = 500


class SchedulerApi:
    """The method table over the jobs."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def methods(self) -> list[Method]:
        """For REST and gRPC alike."""
        job, page = Job.pb(), ListJobsResponse.pb()
        rows = [
            ("CreateJob", CreateJobRequest, job, "POST", _PARENT, "job", self.create),
            ("ListJobs", ListJobsRequest, page, "GET", _PARENT, "", self.list),
            ("GetJob", GetJobRequest, job, "GET", _NAME, "", self.get),
            (
                "UpdateJob",
                UpdateJobRequest,
                job,
                "PATCH",
                _NAME.replace("name", "job.name"),
                "job",
                self.update,
            ),
            ("DeleteJob", DeleteJobRequest, Empty, "DELETE", _NAME, "", self.delete),
            ("PauseJob", PauseJobRequest, job, "POST", f"{_NAME}:pause", "*", self.pause),
            ("ResumeJob", ResumeJobRequest, job, "POST", f"{_NAME}:resume", "*", self.resume),
            ("RunJob", RunJobRequest, job, "POST", f"{_NAME}:run", "*", self.run),
        ]
        return [Method(_SERVICE, name, request.pb(), *rest) for name, request, *rest in rows]

    async def create(self, request: Any) -> Any:
        """A new job."""
        return self._jobs.create(request.parent, request.job)

    async def get(self, request: Any) -> Any:
        """One job."""
        return self._jobs.get(request.name)

    async def list(self, request: Any) -> Any:
        """One page of a location's jobs, by name."""
        if request.page_size < 0:
            raise ApiError(Code.INVALID_ARGUMENT, "The page size must not be negative.", "page_size")
        size = min(request.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
        last = _last_name(request.page_token)
        rest = [job for job in self._jobs.under(request.parent) if job.name > last]
        token = _token(rest[size - 1].name) if len(rest) > size else ""
        return ListJobsResponse.pb()(jobs=rest[:size], next_page_token=token)

    async def update(self, request: Any) -> Any:
        """The changed job."""
        return self._jobs.update(request.job, request.update_mask.paths)

    async def delete(self, request: Any) -> Any:
        """Nothing."""
        self._jobs.delete(request.name)
        return Empty()

    async def pause(self, request: Any) -> Any:
        """The paused job."""
        return self._jobs.pause(request.name)

    async def resume(self, request: Any) -> Any:
        """The resumed job."""
        return self._jobs.resume(request.name)

    async def run(self, request: Any) -> Any:
        """The job, which runs."""
        return self._jobs.run(request.name)


def _token(name: str) -> str:
    return urlsafe_b64encode(name.encode()).decode()


def _last_name(token: str) -> str:
    try:
        return b64decode(token, b"-_", validate=True).decode()
    except ValueError as error:
        raise ApiError(Code.INVALID_ARGUMENT, "This is no page token of ours.", "page_token") from error
