"""The story is told to its end on a whole cloud, and breaks off where the cloud has lost something."""

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from demo.story.__main__ import STEPS
from demo.story.place import KEPT_LOGS
from emulators.stack import LocalCloud
from tests.demo.conftest import Telling
from tests.stack.processes import until
from tools.venv import STATE

pytestmark = [pytest.mark.stack, pytest.mark.firestore]
Tell = Callable[..., Telling]


@pytest.mark.mission("LIFE-03", "LIFE-04", "LIFE-05", "LIFE-10", "LIFE-15", "LIFE-22", "WAKE-01", "WAKE-05")
@pytest.mark.mission("COST-06", "COST-08", "VOL-07", "SEC-06", "SEC-08")
def test_every_step_is_observed_in_a_cloud_of_its_own(tell: Tell, runtime: str) -> None:
    story = tell("--own", "--runtime", runtime)

    assert story.end() == 0, story.text
    assert all(f"{number}. {step.title}" in story.text for number, step in enumerate(STEPS, start=1))
    assert "\x1b" not in story.text
    assert not (STATE / f"demo-{story.process.pid}").exists()
    assert (KEPT_LOGS / "sweep.log").exists()


def test_without_its_saved_object_a_workstation_is_not_awake_and_the_story_says_so(
    tell: Tell, cloud: LocalCloud
) -> None:
    story = tell("--stack", str(cloud.options.stack_file))
    story.until("saw  Cloud Storage:")
    remove_every_object(cloud)

    assert story.end() == 1, story.text
    assert "FAILED in step 'Wake it with one call'" in story.text
    assert "as a user of its own" in story.text
    assert_said_and_cleaned_up(story, cloud)


def test_without_its_instance_the_files_are_gone_and_the_story_says_so(tell: Tell, cloud: LocalCloud) -> None:
    """What was never saved is lost with the instance; the next look at the files must notice."""
    story = tell("--stack", str(cloud.options.stack_file))
    story.until("todos.json")
    kill_every_instance(cloud)

    assert story.end() == 1, story.text
    assert "FAILED in step 'Go away: it idles, is saved, and stops'" in story.text
    assert_said_and_cleaned_up(story, cloud)


def test_an_interrupted_story_leaves_nothing_behind(tell: Tell, cloud: LocalCloud) -> None:
    story = tell("--stack", str(cloud.options.stack_file))
    story.until("4. Upload a project")
    story.process.terminate()

    assert story.end() == 130, story.text
    until(lambda: not services(cloud), "no service is left", 30)


def assert_said_and_cleaned_up(story: Telling, cloud: LocalCloud) -> None:
    """What was expected, what was seen, a log that exists; and no workstation is left."""
    for word in ("expected", "saw"):
        assert any(line.startswith(f"  {word}") for line in story.lines), story.text
    (logs,) = [line.split(maxsplit=1)[1] for line in story.lines if line.startswith("  log ")]
    assert all(Path(log).exists() for log in logs.split(", ")), logs
    until(lambda: not services(cloud), "no service is left", 30)


def remove_every_object(cloud: LocalCloud) -> None:
    options = ClientOptions(api_endpoint=cloud.endpoints["cloud_storage"])
    client = storage.Client("demo-dormouse", AnonymousCredentials(), client_options=options)
    for bucket in client.list_buckets():
        for blob in list(bucket.list_blobs()):
            blob.delete()


def kill_every_instance(cloud: LocalCloud) -> None:
    emulator = cloud.endpoints["cloud_run"]
    for service in services(cloud):
        instances = f"{emulator}/emulator/v1/services/{service}/instances"
        for instance in httpx2.get(instances).json()["instances"]:
            httpx2.post(f"{instances}/{instance['id']}:kill").raise_for_status()


def services(cloud: LocalCloud) -> list[str]:
    emulator = cloud.endpoints["cloud_run"]
    answer = httpx2.get(f"{emulator}/v2/projects/demo-dormouse/locations/europe-west1/services").json()
    return [service["name"].rpartition("/")[2] for service in answer.get("services", [])]
