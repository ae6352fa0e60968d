"""How are bytes sent to a container that may answer, and go, before it has read them all? Apart from what it says.

The event loop gives a connection up as soon as writing to it fails, with the answer that has come in unread; so what
is sent goes by a handle of its own, whose failure leaves the other direction alone.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Protocol


class Receiver(Protocol):
    """Where a body goes: an `asyncio.StreamWriter`, say."""

    def write(self, data: bytes) -> None:
        """Take more bytes."""

    async def drain(self) -> None:
        """Return when there is room for more; raises ConnectionError."""


class Sender:
    """The sending side of a connection; ConnectionError tells that the other end takes no more."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._socket: socket.socket = writer.get_extra_info("socket").dup()
        self._socket.setblocking(False)
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send it with the next `drain`."""
        self._pieces.append(data)

    async def drain(self) -> None:
        """Send what was written."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    def write_eof(self) -> None:
        """Nothing more will be sent."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()
