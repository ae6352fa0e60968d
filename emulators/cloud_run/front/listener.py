"""Where does a service listen? One socket of its own on 127.0.0.1, on a port that it keeps."""

from __future__ import annotations

import asyncio
import socket

from emulators.cloud_run.front.backend import Backend
from emulators.cloud_run.front.connection import ClientProtocol
from emulators.cloud_run.runtime.open_files import require_spare
from emulators.cloud_run.runtime.ports import LOOPBACK, free_listening_socket, listening_socket

_BACKLOG = 1024


class Listener:
    """The address of a service; bound at once, accepting after `start`. OSError, with its reason, when it cannot be had."""

    def __init__(self, port: int | None) -> None:
        self._socket: socket.socket = listening_socket(port) if port else free_listening_socket()
        try:
            require_spare(self._socket)
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def uri(self) -> str:
        """The service's `uri`."""
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self, backend: Backend) -> None:
        """Accept connections for the service."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: ClientProtocol(backend, self._connections), sock=self._socket, backlog=_BACKLOG
        )

    async def close(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is None:
            self._socket.close()
            return
        self._server.close()
        open_ones = list(self._connections)
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
