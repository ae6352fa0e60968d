"""It ends cleanly in the middle of a run, deploys the jobs of a file, and says what is wrong with others."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from emulators.cloud_scheduler.jobs_file import Deployment, JobsFileError, parse_targets, read_jobs

ROOT = Path(__file__).parents[3]
PLACE = "projects/p/locations/europe-west1"
ACCOUNT = "scheduler@p.iam.gserviceaccount.com"
DEPLOYMENT = Deployment(PLACE, ACCOUNT, {"sweep": "http://127.0.0.1:1", "cleanup": "http://127.0.0.1:2"})
NEVER_SOON = "0 0 1 1 *"


def test_sigterm_ends_it_with_success(
    start_scheduler: Callable[..., Any],
    a_job: Callable[..., Any],
    target: Any,
    processes: Any,
    eventually: Any,
) -> None:
    """Even while a target does not answer: the grace that its supervisor has is ten seconds."""
    target.gate.clear()
    scheduler = start_scheduler(target.url, a_job())
    eventually(lambda: bool(target.calls))
    assert processes.stop(scheduler.process) == 0


def test_a_rebound_name_cannot_start_a_run(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any
) -> None:
    scheduler = start_scheduler(target.url, a_job(schedule=NEVER_SOON))
    url = f"{scheduler.url}/v1/projects/demo-dormouse/locations/europe-west1/jobs/sweep:run"
    assert httpx2.post(url, headers={"Host": "rebound.example"}, trust_env=False).status_code == 403
    assert target.calls == []


def test_a_state_has_one_emulator_at_a_time(
    start_scheduler: Callable[..., Any], target: Any, tmp_path: Path
) -> None:
    start_scheduler(target.url, state="shared")
    command = [
        sys.executable,
        "-m",
        "emulators.cloud_scheduler",
        "--port",
        "1",
        "--state",
        str(tmp_path / "shared"),
    ]
    second = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert second.returncode == 1
    assert "Another emulator uses" in second.stderr


def test_the_deployed_jobs_can_be_read() -> None:
    """The file that Terraform reads: a sweep and a cleanup each minute."""
    jobs = {job.name: job for job in read_jobs(ROOT / "terraform/scheduler-jobs.json", DEPLOYMENT)}
    sweep, cleanup = jobs[f"{PLACE}/jobs/sweep"], jobs[f"{PLACE}/jobs/cleanup"]
    assert sweep.schedule == "* * * * *"
    assert cleanup.schedule == "* * * * *"
    assert sweep.http_target.uri == "http://127.0.0.1:1/"
    assert sweep.http_target.oidc_token.audience == "http://127.0.0.1:1"
    assert sweep.http_target.oidc_token.service_account_email == ACCOUNT
    assert sweep.attempt_deadline.ToTimedelta().total_seconds() == 300
    assert sweep.retry_config.retry_count == 0


def test_a_restart_brings_jobs_up_to_the_file_and_leaves_the_rest_alone(
    start_scheduler: Callable[..., Any], a_job: Callable[..., Any], target: Any, processes: Any
) -> None:
    """A paused job stays paused, and one that somebody made by hand is not the file's business."""
    first = start_scheduler(
        "http://127.0.0.1:1", a_job(schedule=NEVER_SOON), a_job("same", schedule=NEVER_SOON)
    )
    first.call("POST", "/v1/projects/demo-dormouse/locations/europe-west1/jobs/sweep:pause", {})
    first.create("by-hand", httpTarget={"uri": target.url})
    before = first.job("same")
    processes.stop(first.process)

    again = start_scheduler(
        "http://127.0.0.1:1", a_job(schedule="5 5 5 5 *"), a_job("same", schedule=NEVER_SOON)
    )
    assert (again.job("sweep")["schedule"], again.job("sweep")["state"]) == ("5 5 5 5 *", "PAUSED")
    assert again.job("same") == before
    assert again.job("by-hand")["state"] == "ENABLED"


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
        read_jobs(file, DEPLOYMENT)
    problems = str(refused.value).splitlines()[1:]
    assert len(problems) == 9
    assert any("--target elsewhere=URL" in problem for problem in problems)


def test_a_target_must_be_an_address() -> None:
    with pytest.raises(ValueError, match="NAME=URL"):
        parse_targets(["sweep"])


def test_help_explains_and_a_bad_file_ends_it_with_the_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emulators.cloud_scheduler"]
    assert "--minute" in subprocess.run([*command, "--help"], capture_output=True, text=True, cwd=ROOT).stdout
    flags = ["--port", "1", "--jobs", str(tmp_path / "none.json")]
    refused = subprocess.run([*command, *flags], capture_output=True, text=True, cwd=ROOT)
    assert refused.returncode == 2
    assert "cannot be read" in refused.stderr
