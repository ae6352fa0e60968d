"""The engine stops and comes back: requests are told so meanwhile, and everything heals by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import psutil
import pytest

from tests.emulators.cloud_run.driver import automatic, end, eventually, http, start
from tests.own_engine import OwnEngine, own_engine


@pytest.fixture(name="own_engine")
def _own_engine(engine: None) -> Iterator[OwnEngine]:
    with own_engine() as made:
        yield made


def test_an_engine_that_stops_is_said_and_one_that_comes_back_is_used(
    tmp_path: Path, own_engine: OwnEngine
) -> None:
    emulator = start(tmp_path, "--grace", "1", runtime="docker", engine=own_engine.host)
    try:
        emulator.create("lasting")
        uri = emulator.scale("lasting", automatic(1, 1)).uri
        assert http.get(uri).status_code == 200
        [first] = emulator.instances("lasting")
        own_engine.stop()
        eventually(lambda: emulator.observed("lasting")["exits"])
        answer = eventually(lambda: unserved(uri))
        assert answer.status_code == 503
        assert "container engine does not answer" in answer.text
        before = busy_seconds(emulator.process.pid)
        eventually(lambda: len(emulator.observed("lasting")["exits"]) > 3)
        assert busy_seconds(emulator.process.pid) - before < 5

        own_engine.start()
        eventually(lambda: http.get(uri).status_code == 200, 120)
        [second] = eventually(lambda: emulator.instances("lasting", "FROZEN", "SERVING"))
        assert second["id"] != first["id"]
        assert emulator.get("lasting").uri == uri
        client = docker.DockerClient(own_engine.host)
        eventually(lambda: len(client.containers.list(all=True)) == 1)
        eventually(lambda: len(client.networks.list(filters={"label": "cloud-run-emulator.managed"})) == 1)
    finally:
        end(emulator)


def unserved(uri: str):
    answer = http.get(uri)
    return answer if "engine" in answer.text else None


def busy_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
