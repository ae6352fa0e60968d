"""What runs for a workstation, whatever the emulator says of it? The one place that knows what instances are made of."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

import docker
import psutil

from emulators.cloud_run.runtime.docker.labels import EMULATOR, SERVICE

_SERVICE = "K_SERVICE"
"""The platform tells every instance by this variable whose it is."""


class Running(Protocol):
    """The instances that this process's local cloud runs."""

    def of(self, uid: str) -> list[str]:
        """What runs for one life of a workstation, in words."""

    def kill(self) -> str:
        """Kills every instance at once, all that it is made of; which services' they were, empty for none."""


class Processes:
    """Instances that are process trees, somewhere below this process."""

    def of(self, uid: str) -> list[str]:
        mine = ((process, service) for process, service in _instances() if service.startswith(f"ws-{uid}-"))
        return [f"process {process.pid} of {service}" for process, service in mine]

    def kill(self) -> str:
        """The emulator's launchers are no part of an instance: they see it end."""
        hit = list(_instances())
        for process, _ in hit:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        return ", ".join(sorted({service for _, service in hit}))


def _instances() -> Iterator[tuple[psutil.Process, str]]:
    """Never beyond our own descendants: others on this machine run clouds too."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError):
            service = process.environ().get(_SERVICE, "")
            if service and process.status() != psutil.STATUS_ZOMBIE:
                yield process, service


class Containers:
    """Instances that are containers of a Docker engine."""

    def __init__(self) -> None:
        self._engine = docker.from_env()

    def of(self, uid: str) -> list[str]:
        mine = ((one, one.labels[SERVICE]) for one in self._living())
        return [
            f"container {one.short_id} of {service}"
            for one, service in mine
            if service.startswith(f"ws-{uid}-")
        ]

    def kill(self) -> str:
        """As `docker kill` does: SIGKILL for the first process of each, and with it for all others."""
        ours = {str(process.pid) for process in psutil.Process().children(recursive=True)}
        hit = [one for one in self._living() if one.labels.get(EMULATOR, "").split(" ")[0] in ours]
        for one in hit:
            with suppress(docker.errors.APIError):
                one.kill()
        return ", ".join(sorted({one.labels[SERVICE] for one in hit}))

    def _living(self) -> list[Any]:
        return list(self._engine.containers.list(filters={"label": SERVICE}, ignore_removed=True))


def running(runtime: str) -> Running:
    """What is asked for instances that run as this: `process` or `docker`."""
    return Containers() if runtime == "docker" else Processes()
