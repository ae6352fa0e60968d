"""Killing: which processes are a victim, and what is done to them. SIGKILL, for all at once: none can say farewell."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil

from proof.cast import Trip, Victim
from proof.running import Running

FROZEN_SECONDS = 4.0
"""So long the database does not answer: longer than the sweep's interval, shorter than every call's patience together."""
_WAIT_SECONDS = 10.0


class Victims:
    """The processes of one local cloud. `pids` are its components' now."""

    def __init__(self, pids: Callable[[], Mapping[str, int]], running: Running) -> None:
        self._pids = pids
        self._running = running

    def strike(self, trip: Trip) -> str:
        """Kills, or freezes, the victim; what was hit, in words, empty for nothing."""
        match trip.victim:
            case Victim.INSTANCE:
                return self._running.kill()
            case Victim.FIRESTORE:
                return self._freeze(self._tree(trip.victim.component))
            case Victim.API_WORKER | Victim.SWEEP_WORKER:
                return _kill(self._tree(trip.victim.component)[1:])
            case _:
                return _kill(self._tree(trip.victim.component))

    def _tree(self, component: str) -> list[psutil.Process]:
        """Its process and all below it, once it runs; nothing where it does not come back."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            pid = self._pids().get(component)
            with suppress(psutil.Error):
                if pid is not None:
                    root = psutil.Process(pid)
                    return [root, *root.children(recursive=True)]
            time.sleep(0.05)
        return []

    def _freeze(self, tree: list[psutil.Process]) -> str:
        for process in tree:
            process.suspend()
        threading.Timer(FROZEN_SECONDS, _thaw, [tree]).start()
        return f"{len(tree)} frozen"


def _thaw(tree: list[psutil.Process]) -> None:
    for process in tree:
        with suppress(psutil.Error):
            process.resume()


def _kill(tree: list[psutil.Process]) -> str:
    for process in tree:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return f"{len(tree)} processes" if tree else ""
