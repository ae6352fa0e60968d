"""What has become of the containers? The engine's events, in a thread that connects again whenever the stream breaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
from docker.errors import DockerException

from emulators.cloud_run.runtime.docker.engine import connect
from emulators.cloud_run.runtime.docker.labels import STATE

Event = dict[str, Any]
_KINDS = ["die", "oom", "health_status"]
# Without an event for so long the stream is opened anew, because a hung engine is silent too.
_QUIET_SECONDS = 60
_RETRY_SECONDS = 0.5
_BREAKS = (DockerException, requests.RequestException, OSError, ValueError, AttributeError)


class Events:
    """The events of this state directory's containers, told in the event loop.

    `connected` is told whenever the stream has begun: what happened before it is not in it. `broken` when it has ended.
    """

    def __init__(
        self,
        state: str,
        *,
        happened: Callable[[Event], None],
        connected: Callable[[], None],
        broken: Callable[[], None],
    ) -> None:
        self._filters = {"label": f"{STATE}={state}", "event": _KINDS, "type": "container"}
        self._happened = happened
        self._connected = connected
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._closed = threading.Event()
        self._stream: Any = None
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Tell nothing any more."""
        self._closed.set()
        if self._stream is not None:
            with suppress(*_BREAKS):
                self._stream.close()

    def _listen(self) -> None:
        while not self._closed.is_set():
            with suppress(*_BREAKS):
                self._stream_once()
            self._tell(self._broken)
            self._closed.wait(_RETRY_SECONDS)

    def _stream_once(self) -> None:
        client = connect(_QUIET_SECONDS)
        try:
            self._stream = client.events(filters=self._filters, decode=True)
            self._tell(self._connected)
            for event in self._stream:
                self._tell(self._happened, event)
        finally:
            client.close()

    def _tell(self, listener: Callable[..., None], *what: Event) -> None:
        # The loop may be closed by now: then nobody listens.
        with suppress(RuntimeError):
            if not self._closed.is_set():
                self._loop.call_soon_threadsafe(listener, *what)
