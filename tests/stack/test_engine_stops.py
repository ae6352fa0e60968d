"""The container engine stops in the middle of the story, for thirty sweeps, and comes back: nothing is lost."""

import subprocess
import time
from collections.abc import Iterator

import docker
import pytest

from emulators.stack import LocalCloud, Options
from tests.journeys.conftest import SETTINGS, Hands, until
from tests.needed import need_engine
from tests.own_engine import OwnEngine, own_engine
from tools.image import build
from tools.template import NAMES

pytestmark = [pytest.mark.stack, pytest.mark.firestore, pytest.mark.timeout(600)]

AWAY_SECONDS = 60
BASES = ("base-python", "base-node")


@pytest.fixture
def engine() -> Iterator[OwnEngine]:
    """With the images of the machine's engine."""
    need_engine()
    for template in NAMES:
        build(template)
    with own_engine() as made:
        copy_images(made.host)
        yield made


@pytest.fixture
def ada(engine: OwnEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    options = Options(
        state=tmp_path_factory.mktemp("engine") / "stack",
        settings=SETTINGS,
        minute_seconds=2,
        workstation=False,
        ephemeral=True,
        any_free_ports=True,
        runtime="docker",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.host)
        with LocalCloud(options) as cloud:
            yield Hands(cloud, "ada")


def copy_images(target: str) -> None:
    """All at once, because they share layers."""
    tags = [tag for image in docker.from_env().images.list() for tag in image.tags]
    names = [tag for tag in tags if tag.startswith(tuple(f"dormouse-{name}:" for name in (*NAMES, *BASES)))]
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as save:
        subprocess.run(["docker", "-H", target, "load"], stdin=save.stdout, check=True, capture_output=True)


def test_an_engine_that_is_away_for_a_minute_loses_nothing(ada: Hands, engine: OwnEngine) -> None:
    rests = ada.provision("rests")
    ada.inside(rests, "PUT", "/-/files/kept.txt", content=b"written before")
    ada.becomes(rests, "IDLE")

    engine.stop()
    back = time.monotonic() + AWAY_SECONDS
    begun = ada.api("POST", "/v1/workstations", {"project": "journeys", "name": "begun"})
    assert begun.status_code == 202, begun.text
    while time.monotonic() < back:
        answer = ada.inside(rests, "GET", "/-/files/kept.txt")
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["details"][0]["reason"], answer.text
        time.sleep(2)
    engine.start()

    for id_ in (rests, begun.json()["metadata"]["target"].rsplit("/", 1)[1]):
        until(f"{id_} runs", lambda id_=id_: awake(ada, id_), 120)
    assert ada.inside(rests, "GET", "/-/files/kept.txt").text == "written before"


def awake(hands: Hands, id_: str) -> bool:
    """As a user would: asks for it, until it is there."""
    hands.api("POST", f"/v1/workstations/{id_}:wake", {})
    return hands.state(id_) == "RUNNING" and hands.inside(id_, "GET", "/-/files/").status_code == 200
