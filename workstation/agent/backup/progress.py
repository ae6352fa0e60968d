"""How far has a save or a restore come? Counted by the worker, read by whoever waits for it."""

import threading
from collections.abc import Callable


class StoppedError(Exception):
    """The work was called off."""


class Progress:
    """Counters of one save or restore; they only grow. Work without CPU stands still, and goes on where it was."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.stored_bytes = 0
        self._stopped = threading.Event()
        self._wakers: list[Callable[[], None]] = []

    def stop(self) -> None:
        """Have the work end at its next step, and what it waits for end now."""
        self._stopped.set()
        for wake in self._wakers:
            wake()

    def when_stopped(self, wake: Callable[[], None]) -> None:
        """Have `wake` be called by every stop; at once too if the work was called off already."""
        self._wakers.append(wake)
        if self._stopped.is_set():
            wake()

    def step(self) -> None:
        """Raise StoppedError if the work was called off."""
        if self._stopped.is_set():
            raise StoppedError
