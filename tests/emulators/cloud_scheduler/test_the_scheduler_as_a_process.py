"""It ends cleanly in the middle of a run, reads the jobs that are deployed, and says what is wrong with others."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from emulators.cloud_scheduler.jobs import JobsFileError, parse_targets, read_jobs

ROOT = Path(__file__).parents[3]
TARGETS = {"sweep": "http://127.0.0.1:1", "cleanup": "http://127.0.0.1:2"}


def test_sigterm_ends_it_at_once_and_with_success(
    start_scheduler: Callable[..., Any],
    a_job: Callable[..., Any],
    target: Any,
    processes: Any,
    eventually: Any,
) -> None:
    """Even while a target does not answer."""
    target.gate.clear()
    scheduler = start_scheduler(target.url, a_job())
    eventually(lambda: scheduler.job("sweep")["running"])
    started = time.monotonic()
    assert processes.stop(scheduler.process) == 0
    assert time.monotonic() - started < 5


def test_a_rebound_name_cannot_start_a_run(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any
) -> None:
    scheduler = start_scheduler(target.url, a_job(schedule="0 0 1 1 *"))
    url = f"{scheduler.url}/v1/jobs/sweep:run"
    assert httpx2.post(url, headers={"Host": "rebound.example"}, trust_env=False).status_code == 403
    assert target.calls == []


def test_the_deployed_jobs_can_be_read() -> None:
    """The file that Terraform reads: a sweep and a cleanup each minute."""
    jobs = {job.name: job for job in read_jobs(ROOT / "terraform/scheduler-jobs.json", TARGETS)}
    assert jobs["sweep"].cron.schedule == "* * * * *"
    assert jobs["cleanup"].cron.schedule == "* * * * *"
    assert jobs["sweep"].uri == "http://127.0.0.1:1/"
    assert jobs["sweep"].audience == "http://127.0.0.1:1"
    assert jobs["sweep"].attempt_deadline.total_seconds() == 300
    assert jobs["sweep"].retry.count == 0


def test_every_problem_of_a_jobs_file_is_reported_at_once(tmp_path: Path, a_job: Callable[..., Any]) -> None:
    good = {"target": "sweep"}
    jobs = [
        a_job("a b", **good),
        a_job("no-target", target="elsewhere"),
        a_job("path", **good, path="tick"),
        a_job("schedule", **good, schedule="never"),
        a_job("zone", **good, timeZone="Mars/Olympus"),
        a_job("deadline", **good, attemptDeadlineSeconds=5),
        a_job("retry", **good, retryCount=9),
        {"name": "empty"},
        a_job("twin", **good),
        a_job("twin", **good),
    ]
    file = tmp_path / "jobs.json"
    file.write_text(json.dumps(jobs))
    with pytest.raises(JobsFileError) as refused:
        read_jobs(file, TARGETS)
    problems = str(refused.value).splitlines()[1:]
    assert len(problems) == 9
    assert any("--target elsewhere=URL" in problem for problem in problems)


def test_a_target_must_be_an_address() -> None:
    with pytest.raises(ValueError, match="NAME=URL"):
        parse_targets(["sweep"])


def test_help_explains_and_a_bad_file_ends_it_with_the_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emulators.cloud_scheduler"]
    assert "--minute" in subprocess.run([*command, "--help"], capture_output=True, text=True).stdout
    flags = ["--port", "1", "--metadata", "127.0.0.1:1", "--jobs", str(tmp_path / "none.json")]
    refused = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "cannot be read" in refused.stderr
