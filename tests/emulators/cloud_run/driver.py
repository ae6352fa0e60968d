"""How tests drive the emulator: a real process, the stock client, and what an observer sees."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import httpx2
import psutil
import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2

from tests.emulators.cloud_run.image import test_image

ROOT = Path(__file__).parents[3]
PARENT = "projects/demo-dormouse/locations/europe-west1"
IMAGE = "registry.test/container@sha256:" + "a" * 64
POLLING = DEFAULT_POLLING.with_delay(initial=0.01, maximum=0.1, multiplier=1.5).with_timeout(30)
DEADLINE_SECONDS = 60.0
# The runtimes keep one contract; a test without a mark of these is about what does not depend on the runtime.
on_both = pytest.mark.parametrize("runtime", ["process", "docker"], indirect=True, scope="session")
on_docker = pytest.mark.parametrize("runtime", ["docker"], indirect=True, scope="session")
# A connection for each request, so that nothing is learnt from a kept one; only its TLS set-up is shared.
http = httpx2.Client(limits=httpx2.Limits(max_keepalive_connections=0), timeout=30)


def eventually(read: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
    """What `read` returns as soon as it is true; an AssertionError when it never becomes true."""
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def container_image(engine: str = "") -> str:
    """The test container among an engine's images, under a name that no registry has."""
    client = docker.DockerClient(engine) if engine else docker.from_env()
    try:
        return f"registry.test/container@{test_image(client)}"
    finally:
        client.close()


@dataclass
class Emulator:
    """A running emulator and how to reach it."""

    port: int
    state: Path
    process: subprocess.Popen
    flags: tuple[str, ...]
    image: str
    client: run_v2.ServicesClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = run_v2.ServicesClient(
            transport="rest",
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=self.url),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def name(self, service_id: str) -> str:
        return f"{PARENT}/services/{service_id}"

    def get(self, service_id: str) -> run_v2.Service:
        return self.client.get_service(name=self.name(service_id), retry=None, timeout=10)

    def create(self, service_id: str, service: run_v2.Service | None = None) -> run_v2.Service:
        service = self.with_image(a_service() if service is None else service)
        operation = self.client.create_service(parent=PARENT, service=service, service_id=service_id)
        return operation.result(polling=POLLING)

    def with_image(self, service: run_v2.Service) -> run_v2.Service:
        """The service with the test container as this emulator knows it."""
        for container in service.template.containers:
            if container.image == IMAGE:
                container.image = self.image
        return service

    def scale(self, service_id: str, scaling: run_v2.ServiceScaling) -> run_v2.Service:
        """The lifecycle call of the product: service-level scaling only, by mask."""
        manual = scaling.scaling_mode == run_v2.ServiceScaling.ScalingMode.MANUAL
        counts = ["manual_instance_count"] if manual else ["min_instance_count", "max_instance_count"]
        operation = self.client.update_service(
            request=run_v2.UpdateServiceRequest(
                service=run_v2.Service(name=self.name(service_id), scaling=scaling),
                update_mask={"paths": [f"scaling.{path}" for path in ["scaling_mode", *counts]]},
            )
        )
        return operation.result(polling=POLLING)

    def observed(self, service_id: str) -> dict[str, Any]:
        return http.get(f"{self.url}/emulator/v1/services/{service_id}/instances").json()

    def instances(self, service_id: str, *states: str) -> list[dict[str, Any]]:
        found = self.observed(service_id)["instances"]
        return [instance for instance in found if not states or instance["state"] in states]

    def log(self, service_id: str) -> str:
        return "".join(file.read_text() for file in (self.state / "logs" / service_id).glob("*.log"))


def a_service(**template: Any) -> run_v2.Service:
    """A service at MANUAL 0 that runs the test container."""
    return run_v2.Service(
        scaling=manual(0),
        template=run_v2.RevisionTemplate(**({"containers": [a_container()]} | template)),
    )


def a_container(**fields: Any) -> run_v2.Container:
    env = [run_v2.EnvVar(name=name, value=value) for name, value in fields.pop("env", {}).items()]
    return run_v2.Container(image=fields.pop("image", IMAGE), env=env, **fields)


def manual(count: int) -> run_v2.ServiceScaling:
    return run_v2.ServiceScaling(
        scaling_mode=run_v2.ServiceScaling.ScalingMode.MANUAL, manual_instance_count=count
    )


def automatic(minimum: int, maximum: int) -> run_v2.ServiceScaling:
    return run_v2.ServiceScaling(
        scaling_mode=run_v2.ServiceScaling.ScalingMode.AUTOMATIC,
        min_instance_count=minimum,
        max_instance_count=maximum,
    )


def host_pid(instance: dict[str, Any], pid: int) -> int:
    """What this machine calls a process that calls itself `pid`, in an instance with or without numbers of its own."""
    family = [psutil.Process(instance["pid"]), *psutil.Process(instance["pid"]).children(recursive=True)]
    inside = {int(namespace_pids(process.pid)[-1]): process.pid for process in family}
    return inside.get(pid, pid)


def namespace_pids(pid: int) -> list[str]:
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [str(pid)])


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(
    state: Path, *flags: str, port: int | None = None, runtime: str = "process", engine: str = ""
) -> Emulator:
    """Start an emulator and wait until it answers; `engine` is the DOCKER_HOST of another engine than the machine's."""
    port = port or free_port()
    image = IMAGE if runtime == "process" else container_image(engine)
    container = f"{IMAGE}={sys.executable} {Path(__file__).with_name('container.py')}"
    command = [
        *(sys.executable, "-m", "emulators.cloud_run", "--port", str(port), "--state", str(state)),
        *(
            "--project",
            "demo-dormouse",
            "--location",
            "europe-west1",
            "--image",
            container,
            "--runtime",
            runtime,
            *flags,
        ),
    ]
    environment = {**os.environ, "EMULATOR_SECRET": "not for containers"}
    if engine:
        environment["DOCKER_HOST"] = engine
    process = subprocess.Popen(command, cwd=ROOT, env=environment)

    def ready() -> bool:
        assert process.poll() is None, "the emulator did not start"
        try:
            return http.get(f"http://127.0.0.1:{port}/").text == "Ok"
        except httpx2.TransportError:
            return False

    eventually(ready)
    return Emulator(port, state, process, flags, image)


def refused(state: Path, *flags: str) -> str:
    """What a start that fails says."""
    command = [
        *(sys.executable, "-m", "emulators.cloud_run", "--port", str(free_port()), "--state", str(state)),
        *("--project", "demo-dormouse", "--location", "europe-west1", *flags),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    return ended.stderr


def end(emulator: Emulator) -> None:
    if emulator.process.poll() is None:
        emulator.process.send_signal(signal.SIGTERM)
        emulator.process.wait(30)


@contextmanager
def running(state: Path, *flags: str, runtime: str = "process") -> Iterator[Emulator]:
    emulator = start(state, *flags, runtime=runtime)
    try:
        yield emulator
    finally:
        end(emulator)
