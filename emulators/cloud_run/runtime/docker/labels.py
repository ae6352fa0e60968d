"""Whose is it? Labels on every container and network, by which an emulator finds what it, or a dead one, has left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

_PREFIX = "cloud-run-emulator."
MANAGED = f"{_PREFIX}managed"
STATE = f"{_PREFIX}state"
EMULATOR = f"{_PREFIX}emulator"
SERVICE = f"{_PREFIX}service"
REVISION = f"{_PREFIX}revision"
INSTANCE = f"{_PREFIX}instance"
# A start time is computed from the boot time, which the kernel may correct by a second.
_SAME_START_SECONDS = 2.0


class Owner:
    """The emulator that owns a state directory, for as long as this process lives."""

    def __init__(self, state: Path) -> None:
        self.state = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:16]
        self._process = f"{os.getpid()} {psutil.Process().create_time():.2f} {_pid_namespace()}"

    def labels(self, **more: str) -> dict[str, str]:
        """The labels of a container or network of ours."""
        return {MANAGED: "true", STATE: self.state, EMULATOR: self._process} | more

    def may_remove(self, labels: Mapping[str, str]) -> bool:
        """Whether it is of our state directory, or of an emulator that is no more."""
        if MANAGED not in labels:
            return False
        return labels.get(STATE) == self.state or _is_dead(labels.get(EMULATOR, ""))


def _is_dead(process: str) -> bool:
    with suppress(ValueError):
        pid, start, namespace = process.split(" ")
        if namespace != _pid_namespace():
            return False
        try:
            living = psutil.Process(int(pid)).create_time()
        except psutil.NoSuchProcess:
            return True
        return abs(living - float(start)) > _SAME_START_SECONDS
    return False


def _pid_namespace() -> str:
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return "only"
