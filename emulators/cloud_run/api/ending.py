"""What becomes of calls that are still open when the emulator ends? They have a moment; then their connections break."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

_GRACE_SECONDS = 1.0


class EndingServer(uvicorn.Server):
    """uvicorn's server, but that a call which hangs on purpose is ended without a complaint.

    It leaves signals to us: uvicorn would raise them again before the instances have ended.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let calls end, and end those that do not."""
        late = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._end_calls)
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()

    def _end_calls(self) -> None:
        # Connections first: a client that has gone is not owed the answer that a cancelled call does not give.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()


class Ending:
    """The application, but that a cancelled call ends without a word: only the emulator's end cancels one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on."""
        with suppress(asyncio.CancelledError):
            await self._app(scope, receive, send)
