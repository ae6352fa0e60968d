"""Through a whole local cloud: what cannot start says why, shows its log and what to do, and costs nothing."""

import io
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import docker
import pytest

from emulators.stack import LocalCloud, Options
from tests.journeys.conftest import Hands, until

pytestmark = [pytest.mark.stack, pytest.mark.firestore]

HUNGRY = "import time; print('loading the model', flush=True); kept = b'x' * (900 * 2**20); time.sleep(600)"
COMMANDS = {
    "leaves": ("sh", "-c", r"printf 'first\n\033[31mno module named app\033[0m\n'; exit 3"),
    "silent": ("sh", "-c", "echo not listening; exec sleep 600"),
    "hungry": ("python3", "-c", HUNGRY),
}
"""What the templates of this cloud do instead of serving."""
GHOST = f"ghost@sha256:{0:064x}"
"""There is no such image; who asks a registry for it may get no answer at all."""
SCENES = {
    "leaves": ("start_failed", {"EXITED_AT_START"}, "no module named app"),
    "silent": ("unhealthy", {"STARTUP_TIMEOUT"}, ""),
    "hungry": ("oom", {"OUT_OF_MEMORY"}, "loading the model"),
    "ghost": ("start_failed", {"IMAGE_NOT_FOUND", "REGISTRY_UNREACHABLE"}, ""),
}
"""By template: the reason, what may be the cause, and a line of the log where one is to be seen."""


def images(runtime: str) -> dict[str, str]:
    """An image for each command: of the engine, or a name that a command stands for."""
    if runtime == "process":
        return {name: f"{name}@sha256:{number:064x}" for number, name in enumerate(COMMANDS, start=1)}
    return {name: f"{name}@{built(command)}" for name, command in COMMANDS.items()}


def built(command: tuple[str, ...]) -> str:
    """The id of an image whose container does nothing else."""
    text = f"FROM dormouse-python:latest\nENTRYPOINT {json.dumps(command)}\nHEALTHCHECK NONE\n"
    image, _ = docker.from_env().images.build(fileobj=io.BytesIO(text.encode()), forcerm=True)
    return str(image.id)


@pytest.fixture(scope="module")
def eve(tmp_path_factory: pytest.TempPathFactory, runtime: str) -> Iterator[Hands]:
    named = images(runtime)
    options = Options(
        state=tmp_path_factory.mktemp("wrong") / "stack",
        settings={
            "TEMPLATE_IMAGES": ",".join(
                f"{name}={image}" for name, image in (named | {"ghost": GHOST}).items()
            ),
            "CONTAINER_STARTUP_TIMEOUT": "40",
        },
        images={named[name]: shlex.join(command) for name, command in COMMANDS.items()},
        runtime=runtime,
        minute_seconds=2,
        workstation=False,
        ephemeral=True,
        any_free_ports=True,
    )
    with LocalCloud(options) as cloud:
        yield Hands(cloud, "eve")


@pytest.fixture(scope="module")
def operations(eve: Hands) -> Mapping[str, Any]:
    """All of them are begun at once, and fail side by side."""
    wish = {"project": "wrong"}
    return {
        name: eve.api("POST", "/v1/workstations", {**wish, "name": name, "template": name}).json()
        for name in SCENES
    }


@pytest.mark.mission("LIFE-11", "LIFE-13")
@pytest.mark.parametrize("name", SCENES)
def test_what_cannot_start_says_why_and_what_to_do_and_costs_nothing(
    eve: Hands, operations: Mapping[str, Any], name: str
) -> None:
    reason, causes, line = SCENES[name]
    operation = operations[name]
    id_ = operation["metadata"]["target"].removeprefix("workstations/")

    done = until(f"{name} is given up", lambda: finished(eve, operation["name"]), 120)
    resting = until(f"{name} costs nothing", lambda: without_cost(eve, id_), 60)
    answer = eve.inside(id_, "GET", "/")

    cause = resting["error"]["reason"]
    assert cause in causes
    assert done["error"]["reason"] == cause
    assert (resting["reason"], resting["failures"]) == (reason, 1)
    assert resting["retryTime"] > resting["error"]["time"]
    assert resting["error"]["help"]
    assert (line in resting["error"]["log"]) is bool(line)
    service = eve.service(id_)
    assert service is not None
    assert eve.instances(service) == []
    assert answer.status_code == 503
    info = answer.json()["error"]["details"][0]
    assert (info["reason"], info["metadata"]["because"]) == (cause, reason)
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def finished(eve: Hands, operation: str) -> Any:
    seen = eve.api("GET", f"/v1/{operation}").json()
    return seen if seen["done"] else None


def without_cost(eve: Hands, id_: str) -> Any:
    """The workstation, once no instance can be left and nothing is metered."""
    seen = eve.get(id_)
    at_rest = seen["state"] == "ERROR" and seen["cost"]["hourly"] == {
        "currencyCode": "USD",
        "units": "0",
        "nanos": 0,
    }
    return seen if at_rest else None
