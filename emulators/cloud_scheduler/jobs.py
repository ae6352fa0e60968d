"""Which jobs are there, and what state are they in?  Every change is on disk before it is answered."""

from collections.abc import Iterable
from typing import Any

from google.cloud.scheduler_v1.types import Job

from emulators.cloud_scheduler import masks, settings
from emulators.cloud_scheduler.names import Places
from emulators.cloud_scheduler.runner import JobRunner, Tools
from emulators.cloud_scheduler.store import Record
from emulators.errors import ApiError, Code

_OUTPUT_ONLY = ("user_update_time", "state", "status", "schedule_time", "last_attempt_time")


class Jobs:
    """All jobs of all places, each with its runner. Every method raises ApiError for what cannot be done."""

    def __init__(self, places: Places, tools: Tools) -> None:
        self._places = places
        self._tools = tools
        self._runners: dict[str, JobRunner] = {}

    def start(self) -> None:
        """Take up the jobs on disk; a run that was missed meanwhile is made up for, once."""
        for name, record in self._tools.store.load().items():
            if record.due is not None:
                # A cron that ran ahead of the clock may have left a time that is far away by now.
                record.due = min(record.due, self._next(record.job))
            self._runners[name] = JobRunner(record, self._tools)
            self._runners[name].start()

    def look(self) -> None:
        """Begin what is due: a machine that slept has not called its timers."""
        for runner in self._runners.values():
            runner.plan()

    async def close(self) -> None:
        """Cut every run; what was cut is made up for after the next start."""
        for runner in self._runners.values():
            await runner.closed()

    def create(self, parent: str, wanted: Any) -> Any:
        """The new job; a name is made up where none was asked for."""
        name = self._places.new_job(parent, wanted.name)
        job = Job.pb()()
        job.CopyFrom(wanted)
        job.name = name
        for field in _OUTPUT_ONLY:
            job.ClearField(field)
        settings.with_defaults(job)
        settings.check(job)
        if name in self._runners:
            raise ApiError(Code.ALREADY_EXISTS, f"Job {name} already exists.")
        job.state = Job.State.ENABLED
        job.user_update_time.FromDatetime(self._tools.time.now())
        record = Record(job, self._next(job))
        self._tools.store.put(record)
        self._runners[name] = JobRunner(record, self._tools)
        self._runners[name].start()
        return self._runners[name].job

    def get(self, name: str) -> Any:
        """The job as it is now."""
        return self._runner(name).job

    def under(self, parent: str) -> list[Any]:
        """All jobs of the location, by name."""
        prefix = f"{self._places.check_parent(parent)}/jobs/"
        return [runner.job for name, runner in sorted(self._runners.items()) if name.startswith(prefix)]

    def update(self, wanted: Any, paths: Iterable[str]) -> Any:
        """The job with those fields changed; a new schedule counts from now, and a paused job stays paused."""
        runner = self._runner(wanted.name, "job.name")
        before = runner.record
        job = masks.updated(before.job, wanted, paths)
        settings.with_defaults(job)
        settings.check(job)
        job.user_update_time.FromDatetime(self._tools.time.now())
        same_times = (job.schedule, job.time_zone) == (before.job.schedule, before.job.time_zone)
        due = before.due if same_times or before.due is None else self._next(job)
        return self._replace(runner, Record(job, due, before.forced))

    def pause(self, name: str) -> Any:
        """The job, which does not run until it is resumed."""
        runner = self._in_state(name, Job.State.ENABLED, "paused")
        return self._replace(runner, self._with_state(runner.record, Job.State.PAUSED))

    def resume(self, name: str) -> Any:
        """The job, whose next run is the first after now."""
        runner = self._in_state(name, Job.State.PAUSED, "resumed")
        record = self._with_state(runner.record, Job.State.ENABLED)
        record.due = self._next(record.job)
        return self._replace(runner, record)

    def run(self, name: str) -> Any:
        """The job, a run of which has been started."""
        runner = self._runner(name)
        runner.run_now()
        return runner.job

    def delete(self, name: str) -> None:
        """Forget the job and cut its runs."""
        runner = self._runner(name)
        self._tools.store.remove(name)
        del self._runners[name]
        runner.close()

    def _replace(self, runner: JobRunner, record: Record) -> Any:
        self._tools.store.put(record)
        runner.record = record
        runner.plan()
        return runner.job

    def _with_state(self, record: Record, state: Any) -> Record:
        job = Job.pb()()
        job.CopyFrom(record.job)
        job.state = state
        return Record(job, None, record.forced)

    def _in_state(self, name: str, state: Any, verb: str) -> JobRunner:
        runner = self._runner(name)
        if runner.record.job.state != state:
            message = f"A job must be {state.name} to be {verb}; {name} is not."
            raise ApiError(Code.FAILED_PRECONDITION, message)
        return runner

    def _runner(self, name: str, field: str = "name") -> JobRunner:
        runner = self._runners.get(self._places.check_job(name, field))
        if runner is None:
            raise ApiError(Code.NOT_FOUND, f"Job not found: {name}.")
        return runner

    def _next(self, job: Any) -> Any:
        return settings.cron_of(job).next_after(self._tools.time.now())
