"""Where does a container's output go? Into the instance's log, as it comes, of which the newest is kept."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing, suppress
from pathlib import Path

import requests
from docker.errors import DockerException

from emulators.cloud_run.model.quantities import MIB
from emulators.cloud_run.runtime.docker.engine import connect

# Whoever prints without end must not fill the disk. The log begins anew then: its end tells why an instance died.
LOG_BYTES = 16 * MIB
# A dead container's output ends by itself; the rest of a hung engine's is given up.
_LAST_WORDS_SECONDS = 5.0


class LogFollower:
    """Copies the output of one container until it ends."""

    def __init__(self, container_id: str, log: Path) -> None:
        self._container_id = container_id
        self._log = log
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    async def last_words(self) -> None:
        """Return when the output of the dead container is in the log."""
        await asyncio.to_thread(self._thread.join, _LAST_WORDS_SECONDS)

    def _follow(self) -> None:
        with (
            suppress(DockerException, requests.RequestException, OSError, ValueError),
            # The SDK takes the time limit off the connection of a stream, so no call may have it afterwards.
            closing(connect()) as client,
            self._log.open("ab", buffering=0) as log,
        ):
            for piece in client.api.logs(self._container_id, stream=True, follow=True):
                if log.tell() + len(piece) > LOG_BYTES:
                    log.truncate(0)
                log.write(piece)
