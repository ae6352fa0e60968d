"""The whole local cloud: it comes up with a running workstation, and comes back to it."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.cloud import storage

from emulators.cloud_run.runtime.docker.engine import why_unusable
from emulators.stack.demo_workstation import Client
from emulators.stack.google_cloud import BACKUP_BUCKET
from emulators.stack.probe import answers
from tests.emulators.cloud_storage.conftest import RUNTIME, SignBlob
from tests.stack.processes import CommandLine, until

pytestmark = [pytest.mark.stack, pytest.mark.firestore]
EXTRA = ("--free-ports", "--minute", "2", "--set", "DAILY_COST_LIMIT=7")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Up once for all tests here, with a quick scheduler and a setting of its own."""
    line = CommandLine(tmp_path_factory.mktemp("whole") / "stack")
    up = line.run("up", "--detach", *EXTRA)
    assert up.returncode == 0, up.stdout + up.stderr
    yield line
    line.end()


def content(cloud: CommandLine) -> dict[str, Any]:
    return dict(json.loads(cloud.stack_file.read_text()))


def workstations(cloud: CommandLine) -> list[dict[str, Any]]:
    stack = content(cloud)
    client = Client(stack["endpoints"]["api"], stack["users"][0]["idToken"])
    return list(client.call("GET", "/v1/workstations")["workstations"])


def test_it_ends_with_a_running_workstation_of_the_first_demo_user(cloud: CommandLine) -> None:
    (workstation,) = workstations(cloud)

    assert workstation["state"] == "RUNNING"
    assert (workstation["project"], workstation["displayName"]) == ("demo", "main")


def test_every_part_answers_and_has_a_log(cloud: CommandLine) -> None:
    stack = content(cloud)

    for name, part in stack["components"].items():
        assert answers(part["ready"]), name
        assert Path(part["log"]).exists(), name
    assert stack["pids"].keys() == {"supervisor", *stack["components"]}


def test_it_says_what_workstations_run_on(cloud: CommandLine) -> None:
    stack = content(cloud)
    with urllib.request.urlopen(f"{stack['endpoints']['cloud_run']}/emulator/v1/runtime") as answer:
        assert (
            json.load(answer)["runtime"]
            == stack["runtime"]
            == ("process" if why_unusable(with_doors=True) else "docker")
        )


def test_the_scheduler_sweeps_with_the_deployed_jobs_and_is_let_in(cloud: CommandLine) -> None:
    stack = content(cloud)
    place = f"projects/{stack['project']}/locations/{stack['region']}"
    sweep = f"{stack['endpoints']['cloud_scheduler']}/v1/{place}/jobs/sweep"

    def last_sweep() -> Any:
        with urllib.request.urlopen(sweep) as answer:
            job = json.load(answer)
        # An attempt that succeeded has an empty status; before the first there is none.
        return job.get("status")

    until(lambda: last_sweep() == {}, "a sweep that succeeded")


def test_what_code_in_a_workstation_can_sign_opens_nothing(cloud: CommandLine) -> None:
    """It has the runtime account's metadata server, and with it signatures of that account."""
    endpoints = content(cloud)["endpoints"]
    ours = SignBlob(endpoints["identity"], endpoints["metadata"], RUNTIME)
    bucket = storage.Client(project="demo-dormouse", credentials=ours).bucket(BACKUP_BUCKET)
    url = bucket.blob("anybody's").generate_signed_url(
        version="v4",
        method="PUT",
        expiration=timedelta(minutes=5),
        credentials=ours,
        api_access_endpoint=endpoints["cloud_storage"],
    )

    assert httpx2.put(url, content=b"mine", trust_env=False).status_code == 403


def test_settings_from_the_command_line_reach_the_functions(cloud: CommandLine) -> None:
    stack = content(cloud)
    client = Client(stack["endpoints"]["api"], stack["users"][1]["idToken"])

    assert client.call("GET", "/v1/usage")["day"]["limit"]["units"] == "7"


def test_after_down_and_up_it_is_the_same_workstation_and_running(cloud: CommandLine) -> None:
    (before,) = workstations(cloud)
    assert cloud.run("down").returncode == 0

    again = cloud.run("up", "--detach", *EXTRA)

    assert again.returncode == 0, again.stdout + again.stderr
    assert "is RUNNING at $" in again.stdout
    (after,) = workstations(cloud)
    assert (after["id"], after["uid"], after["state"]) == (before["id"], before["uid"], "RUNNING")
