"""A container engine of a test's own, to be stopped and started at will: the machine's is others' too."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import psutil

from tests.emulators.cloud_run.driver import eventually
from tests.needed import lacks


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
            self.process = None

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


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """One that runs; fails or skips where none can be had."""
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("ip"):
        lacks("an engine of the test's own takes root, dockerd and ip")
    # The paths of an engine's sockets must be short.
    made = OwnEngine(Path(tempfile.mkdtemp(prefix="engine-")))
    try:
        made.start()
        yield made
    finally:
        made.remove()
