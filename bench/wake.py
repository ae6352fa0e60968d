"""How long from nothing to the first 200, beside a raw spawn and a raw `docker start` of the same program?"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import docker

from bench import peers
from bench.cloud import PARENT, Cloud, finish
from bench.measure import milliseconds, times
from bench.result import Row
from bench.wire import Wire

PROGRAM = Path(__file__).with_name("small_server.py")
IMAGE = "registry.test/small@sha256:" + "0" * 64
# What JupyterHub takes over the raw start, by the table of peers: 66 / 20.8 ms and 275 / 80 ms.
_PROCESS_LIMIT, _CONTAINER_LIMIT = 3.2, 3.4
_WHY = "nobody should wait longer, beside the raw start, than with JupyterHub"
_SECONDS = 60
_REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def process_row(cloud: Cloud, rounds: int) -> Row:
    """An instance that is a process."""
    with _service(cloud, {"image": IMAGE}) as wake:
        found = times(wake, _spawn, rounds)
    return Row("wake, process", "ms", *found, "raw spawn", _PROCESS_LIMIT, more_is_better=False, why=_WHY)


def container_row(cloud: Cloud, image: str, rounds: int) -> Row:
    """An instance that is a container of this image, `NAME@ID`, which must have a python3."""
    command = ["python3", "-I", "-S", "-c", PROGRAM.read_text()]
    container = {"image": image, "command": command[:1], "args": command[1:]}
    with _service(cloud, container) as wake, _raw_container(image.partition("@")[2], command) as start:
        found = times(wake, start, rounds)
    return Row(
        "wake, container", "ms", *found, "raw docker start", _CONTAINER_LIMIT, more_is_better=False, why=_WHY
    )


@contextmanager
def _service(cloud: Cloud, container: Mapping[str, object]) -> Iterator[Callable[[], float]]:
    """A service that is taken to zero and then called: the milliseconds of that call."""
    wire, name = Wire(cloud.run), f"{PARENT}/services/sleeper"
    body = {"scaling": _MANUAL_0, "template": {"containers": [container]}}
    finish(wire, wire.json("POST", f"/v2/{PARENT}/services?serviceId=sleeper", body))
    port = urlsplit(wire.json("GET", f"/v2/{name}")["uri"]).port or 0

    def wake() -> float:
        for scaling in (_MANUAL_0, _AUTOMATIC):
            mask = ",".join(f"scaling.{field}" for field in scaling)
            finish(
                wire, wire.json("PATCH", f"/v2/{name}?updateMask={mask}", {"name": name, "scaling": scaling})
            )
            while wire.json("GET", "/emulator/v1/services/sleeper/instances")["instances"]:
                time.sleep(0.01)
        return milliseconds(lambda: _first_200("127.0.0.1", port))

    yield wake
    finish(wire, wire.json("DELETE", f"/v2/{name}"))


_MANUAL_0 = {"scalingMode": "MANUAL", "manualInstanceCount": 0}
_AUTOMATIC = {"scalingMode": "AUTOMATIC", "minInstanceCount": 0, "maxInstanceCount": 1}


def _spawn() -> float:
    port = peers.free_port()
    began = time.perf_counter()
    environment = {"PORT": str(port), "PATH": os.environ["PATH"]}
    process = subprocess.Popen([sys.executable, "-I", "-S", str(PROGRAM)], env=environment)
    try:
        _first_200("127.0.0.1", port)
        return (time.perf_counter() - began) * 1000
    finally:
        process.kill()
        process.wait()


@contextmanager
def _raw_container(image: str, command: list[str]) -> Iterator[Callable[[], float]]:
    """A container of our own on the host's network, which is the quickest; the milliseconds of its start."""
    client, port = docker.from_env(), peers.free_port()
    container = client.containers.create(
        image,
        entrypoint=command[:1],
        command=command[1:],
        environment={"PORT": str(port)},
        network_mode="host",
    )

    def start() -> float:
        began = time.perf_counter()
        container.start()
        _first_200("127.0.0.1", port)
        took = (time.perf_counter() - began) * 1000
        container.kill()
        container.wait()
        return took

    try:
        yield start
    finally:
        container.remove(force=True)
        client.close()


def _first_200(host: str, port: int) -> None:
    """Returns at the first 200; raises TimeoutError."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host, port), timeout=_SECONDS) as connection:
                connection.sendall(_REQUEST)
                if connection.recv(64).split(b" ")[1:2] == [b"200"]:
                    return
        except OSError:
            pass
        time.sleep(0.001)
    raise TimeoutError(f"No 200 at {host}:{port}.")
