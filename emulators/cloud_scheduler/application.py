"""What did the jobs do, and can one run now?  The scheduler's own small API; the jobs run beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from emulators.cloud_scheduler.cron import CronClock
from emulators.cloud_scheduler.delivery import Delivery, rfc3339
from emulators.cloud_scheduler.jobs import Job
from emulators.cloud_scheduler.runner import AlreadyRunningError, JobRunner, Run
from emulators.errors import EXCEPTION_HANDLERS, ApiError, Code
from emulators.serving import HostCheck, ready


class Scheduler:
    """All jobs, each with its loop."""

    def __init__(
        self, jobs: Sequence[Job], metadata: str, clock: CronClock, now: Callable[[], datetime]
    ) -> None:
        # No environment: a proxy of the user's must not stand between loopback addresses.
        self._client = httpx2.AsyncClient(trust_env=False, timeout=None)
        delivery = Delivery(metadata, self._client)
        self._runners = {job.name: JobRunner(job, delivery, clock, now) for job in jobs}

    def application(self) -> ASGIApp:
        """The application; its lifespan is that of the jobs."""
        routes = [
            Route("/", ready),
            Route("/v1/jobs", self.list_jobs),
            Route("/v1/jobs/{name}:run", self.run_job, methods=["POST"]),
            Route("/v1/jobs/{name}", self.get_job),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(HostCheck)],
            exception_handlers=EXCEPTION_HANDLERS,
            lifespan=self._running,
        )

    async def list_jobs(self, _request: Request) -> Response:
        """Every job with its last and next run."""
        return JSONResponse({"jobs": [_described(runner) for runner in self._runners.values()]})

    async def get_job(self, request: Request) -> Response:
        """One job with its last and next run."""
        return JSONResponse(_described(self._runner(request)))

    async def run_job(self, request: Request) -> Response:
        """Start a run now; the answer does not wait for it."""
        runner = self._runner(request)
        try:
            runner.run_now()
        except AlreadyRunningError as error:
            message = f"Job {runner.job.name} is running; two runs of a job never overlap."
            raise ApiError(Code.ABORTED, message) from error
        return JSONResponse(_described(runner) | {"running": True})

    def _runner(self, request: Request) -> JobRunner:
        name = request.path_params["name"]
        if name not in self._runners:
            raise ApiError(Code.NOT_FOUND, f"There is no job {name}; there are {', '.join(self._runners)}.")
        return self._runners[name]

    @asynccontextmanager
    async def _running(self, _app: Starlette) -> AsyncIterator[None]:
        loops = [asyncio.create_task(runner.run_on_schedule()) for runner in self._runners.values()]
        yield
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, *(r.stop() for r in self._runners.values()), return_exceptions=True)
        await self._client.aclose()


def _described(runner: JobRunner) -> dict[str, Any]:
    job = runner.job
    return {
        "name": job.name,
        "schedule": job.cron.schedule,
        "timeZone": job.cron.zone.key,
        "uri": job.uri,
        "attemptDeadline": f"{job.attempt_deadline.total_seconds():g}s",
        "running": runner.running,
        "runs": runner.runs,
        "nextRunTime": rfc3339(runner.next_run),
        "lastRun": None if runner.last_run is None else _run(runner.last_run),
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "scheduleTime": rfc3339(run.schedule_time),
        "startTime": rfc3339(run.start_time),
        "durationSeconds": round((run.end_time - run.start_time).total_seconds(), 3),
        "attempts": run.attempts,
        "httpStatus": run.outcome.http_status,
        "error": run.outcome.error,
    }
