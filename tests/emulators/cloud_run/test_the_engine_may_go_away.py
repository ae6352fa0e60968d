"""The engine stops and comes back: requests are told so meanwhile, and everything heals by itself.

The engine is one of our own, with its own images and bridge: the machine's is others' too.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import psutil
import pytest

from tests.emulators.cloud_run.driver import automatic, end, eventually, http, start


class OwnEngine:
    """A second dockerd. Its bridge is its own too: one without a bridge would remove the machine's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host = f"unix://{root}/sock"
        self.bridge = f"dm{secrets.token_hex(4)}"
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"10.214.{secrets.randbelow(256)}.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        (self.root / "pid").unlink(missing_ok=True)
        where = (
            "--data-root",
            self.root / "data",
            "--exec-root",
            self.root / "exec",
            "--pidfile",
            self.root / "pid",
        )
        command = ["dockerd", *where, "-H", self.host, "--bridge", self.bridge, "--iptables=false"]
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
        eventually(self.answers, 60)

    def answers(self) -> bool:
        with suppress(docker.errors.DockerException):
            return docker.DockerClient(self.host, timeout=5).ping()
        return False

    def stop(self) -> None:
        if self.process is not None:
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            psutil.wait_procs(family, 10)

    def remove(self) -> None:
        # A bridge outlives the engine that made it.
        with suppress(docker.errors.DockerException):
            client = docker.DockerClient(self.host, timeout=30)
            for container in client.containers.list(all=True):
                container.remove(force=True)
            client.networks.prune()
        self.stop()
        ip("link", "delete", self.bridge)
        shutil.rmtree(self.root, ignore_errors=True)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def own_engine(engine: None) -> Iterator[OwnEngine]:
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("ip"):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "an engine of the test's own takes root, dockerd and ip"
        )
    # The paths of an engine's sockets must be short.
    made = OwnEngine(Path(tempfile.mkdtemp(prefix="engine-")))
    try:
        made.start()
        yield made
    finally:
        made.remove()


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
