"""Which jobs are deployed?  Reads the file that Terraform reads, and has each job created as a client would.

A job that is there already is brought up to the file, but is not touched where it says the same.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from google.cloud.scheduler_v1.types import Job

from emulators.cloud_scheduler import settings
from emulators.cloud_scheduler.jobs import Jobs
from emulators.cloud_scheduler.names import Places
from emulators.errors import ApiError, Code

_NEEDED = ("name", "schedule", "target", "path")
_MASK = ("schedule", "time_zone", "http_target", "attempt_deadline", "retry_config")
_RETRY_DURATIONS = {
    "minBackoffSeconds": "min_backoff_duration",
    "maxBackoffSeconds": "max_backoff_duration",
    "maxRetrySeconds": "max_retry_duration",
}
_RETRY_NUMBERS = {"retryCount": "retry_count", "maxDoublings": "max_doublings"}


class JobsFileError(Exception):
    """The jobs file cannot be used; the message lists every reason."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the file leaves open: where its jobs live, whom they call as, and at which address each target is."""

    parent: str
    account: str
    targets: Mapping[str, str]


def read_jobs(path: Path, deployment: Deployment) -> list[Any]:
    """The jobs of the file as the API takes them, all of them valid; raises JobsFileError."""
    try:
        entries = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise JobsFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise JobsFileError(f"{path} must hold a list of jobs.")
    jobs, problems = [], []
    for index, entry in enumerate(entries):
        try:
            jobs.append(_job(entry, deployment))
        except (ValueError, TypeError, ApiError) as error:
            name = entry.get("name") if isinstance(entry, dict) else None
            problems.append(f"job {name or index}: {error}")
    names = [job.name for job in jobs]
    problems += [f"{name}: named twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise JobsFileError("\n".join([f"{path} cannot be used:", *problems]))
    return jobs


def deploy(wanted: Sequence[Any], jobs: Jobs) -> None:
    """Have the jobs created, or brought up to the file."""
    for job in wanted:
        try:
            known = jobs.get(job.name)
        except ApiError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            jobs.create(job.name.rpartition("/jobs/")[0], job)
            continue
        if any(getattr(known, field) != getattr(job, field) for field in _MASK):
            jobs.update(job, _MASK)


def parse_targets(texts: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=URL`` options; raises ValueError with what is wrong."""
    targets = {}
    for text in texts:
        name, _, url = text.partition("=")
        if not name or not url.startswith(("http://", "https://")):
            raise ValueError(f"{text!r} is not NAME=URL, as in sweep=http://127.0.0.1:8082")
        targets[name] = url.rstrip("/")
    return targets


def _job(entry: Mapping[str, Any], deployment: Deployment) -> Any:
    if missing := [field for field in _NEEDED if field not in entry]:
        raise ValueError(f"the field {', '.join(missing)} is missing")
    target, path = entry["target"], entry["path"]
    if target not in deployment.targets:
        raise ValueError(f"no address for its target; add --target {target}=URL")
    if not path.startswith("/"):
        raise ValueError(f"path {path!r} must start with '/'")
    base = deployment.targets[target]
    job = Job.pb()(name=f"{deployment.parent}/jobs/{entry['name']}", schedule=entry["schedule"])
    job.time_zone = entry.get("timeZone", "Etc/UTC")
    job.attempt_deadline.FromTimedelta(timedelta(seconds=entry.get("attemptDeadlineSeconds", 180)))
    job.http_target.uri = base + path
    if deployment.account:
        token = job.http_target.oidc_token
        token.service_account_email = deployment.account
        # The service's own address, not the full URI: what a Cloud Run service expects.
        token.audience = entry.get("audience", base)
    for field, value in _retries(entry):
        _set(job.retry_config, field, value)
    Places().check_job(job.name)
    settings.with_defaults(job)
    settings.check(job)
    return job


def _retries(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, field in _RETRY_NUMBERS.items():
        if key in entry:
            yield field, entry[key]
    for key, field in _RETRY_DURATIONS.items():
        if key in entry:
            yield field, timedelta(seconds=entry[key])


def _set(retry: Any, field: str, value: Any) -> None:
    if isinstance(value, timedelta):
        getattr(retry, field).FromTimedelta(value)
    else:
        setattr(retry, field, value)
