"""Which jobs are there?  Reads the jobs file that Terraform deploys, and reports everything wrong with it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from emulators.cloud_scheduler.cron import Cron

_NAME = re.compile(r"[A-Za-z0-9_-]{1,500}")
_DEADLINES = (timedelta(seconds=15), timedelta(minutes=30))
_MAX_RETRIES = 5


class JobsFileError(Exception):
    """The jobs file cannot be used; the message lists every reason."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and after which waits, a failed run is tried again."""

    count: int = 0
    min_backoff: timedelta = timedelta(seconds=5)
    max_backoff: timedelta = timedelta(hours=1)
    max_doublings: int = 5

    def backoff(self, failures: int) -> timedelta:
        """The wait after so many failures (1 or more): doubled a few times, then grown evenly."""
        doublings = min(failures - 1, self.max_doublings)
        factor = (1 << doublings) * (1 + max(0, failures - 1 - self.max_doublings))
        return min(self.min_backoff * factor, self.max_backoff)


@dataclass(frozen=True, slots=True)
class Job:
    """An HTTP job: when to call what."""

    name: str
    cron: Cron
    uri: str
    audience: str
    attempt_deadline: timedelta
    retry: RetryPolicy = RetryPolicy()


def read_jobs(path: Path, targets: Mapping[str, str]) -> tuple[Job, ...]:
    """The jobs of the file, aimed at the named targets' addresses; raises JobsFileError."""
    try:
        entries = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise JobsFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise JobsFileError(f"{path} must hold a list of jobs.")
    jobs, problems = [], []
    for index, entry in enumerate(entries):
        try:
            jobs.append(_job(entry, targets))
        except (ValueError, KeyError, TypeError) as error:
            name = entry.get("name") if isinstance(entry, dict) else None
            problems.append(f"job {name or index}: {_reason(error)}")
    names = [job.name for job in jobs]
    problems += [f"job {name}: named twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise JobsFileError("\n".join([f"{path} cannot be used:", *problems]))
    return tuple(jobs)


def _reason(error: Exception) -> str:
    return f"the field {error} is missing" if isinstance(error, KeyError) else str(error)


def _job(entry: Mapping[str, Any], targets: Mapping[str, str]) -> Job:
    name, target, path = entry["name"], entry["target"], entry["path"]
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} may hold letters, digits, '-' and '_' only")
    if target not in targets:
        raise ValueError(f"no address for its target; add --target {target}=URL")
    if not path.startswith("/"):
        raise ValueError(f"path {path!r} must start with '/'")
    return Job(
        name=name,
        cron=_cron(entry),
        uri=targets[target].rstrip("/") + path,
        # The service's own address, not the full URI: what a Cloud Run service expects.
        audience=entry.get("audience", targets[target].rstrip("/")),
        attempt_deadline=_deadline(entry),
        retry=_retry(entry),
    )


def _cron(entry: Mapping[str, Any]) -> Cron:
    try:
        cron = Cron(entry["schedule"], ZoneInfo(entry.get("timeZone", "Etc/UTC")))
    except KeyError as error:
        # An unknown zone is a KeyError as well, but not a missing field.
        raise error if "schedule" in str(error) else ValueError(str(error)) from error
    cron.next_after(datetime(2000, 1, 1, tzinfo=UTC))
    return cron


def _deadline(entry: Mapping[str, Any]) -> timedelta:
    deadline = timedelta(seconds=entry.get("attemptDeadlineSeconds", 180))
    if not _DEADLINES[0] <= deadline <= _DEADLINES[1]:
        raise ValueError("attemptDeadlineSeconds must be from 15 to 1800")
    return deadline


def _retry(entry: Mapping[str, Any]) -> RetryPolicy:
    default = RetryPolicy()
    count = entry.get("retryCount", default.count)
    if not 0 <= count <= _MAX_RETRIES:
        raise ValueError(f"retryCount must be from 0 to {_MAX_RETRIES}")
    return RetryPolicy(
        count=count,
        min_backoff=_seconds(entry, "minBackoffSeconds", default.min_backoff),
        max_backoff=_seconds(entry, "maxBackoffSeconds", default.max_backoff),
        max_doublings=entry.get("maxDoublings", default.max_doublings),
    )


def _seconds(entry: Mapping[str, Any], field: str, default: timedelta) -> timedelta:
    return timedelta(seconds=entry[field]) if field in entry else default


def parse_targets(texts: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=URL`` options; raises ValueError with what is wrong."""
    targets = {}
    for text in texts:
        name, _, url = text.partition("=")
        if not name or not url.startswith(("http://", "https://")):
            raise ValueError(f"{text!r} is not NAME=URL, as in sweep=http://127.0.0.1:8082")
        targets[name] = url
    return targets
