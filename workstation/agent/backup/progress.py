"""How far has a save or a restore come? Counted by the worker, read by whoever waits for it."""

import threading


class StoppedError(Exception):
    """The work was called off."""


class Progress:
    """Counters of one save or restore; they only grow. Work without CPU stands still, and goes on where it was."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.stored_bytes = 0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Have the work end at its next step."""
        self._stopped.set()

    def step(self) -> None:
        """Raise StoppedError if the work was called off."""
        if self._stopped.is_set():
            raise StoppedError
