"""What happens on one client connection? Requests one after the other: check, admit, relay.

A client that closes its side while a request is open is gone, as for any HTTP proxy: the request is
cancelled, so that no instance works for nobody. In a WebSocket a closed side is passed on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from emulators.cloud_run.front.backend import Backend
from emulators.cloud_run.front.bodies import Truncated
from emulators.cloud_run.front.heads import MAX_HEAD_BYTES, BadHead, Request, read_request
from emulators.cloud_run.front.refusals import Refusal, answer
from emulators.cloud_run.front.visit import Broken, Visit

_LINGER_SECONDS = 1.0
# From its first byte on; Google says nowhere how long its frontend waits.
_HEAD_SECONDS = 60.0


class ClientProtocol(asyncio.StreamReaderProtocol):
    """Streams, plus the news that the client has gone."""

    def __init__(self, backend: Backend, connections: set[asyncio.Task[None]]) -> None:
        self._incoming = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
        super().__init__(self._incoming, self._accept)
        self._backend = backend
        self._connections = connections
        self._connection: Connection | None = None

    def eof_received(self) -> bool:
        """The client has closed its side."""
        super().eof_received()
        if self._connection is not None:
            self._connection.client_gone()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Both sides are closed."""
        super().connection_lost(exc)
        if self._connection is not None:
            self._connection.client_gone(for_good=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connection = Connection(reader, writer, self._backend)
        self._connections.add(self._connection.task)
        self._connection.task.add_done_callback(self._connections.discard)


class Connection:
    """One client connection and the request that is open on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, backend: Backend) -> None:
        self._reader = reader
        self._writer = writer
        self._backend = backend
        self._visit: Visit | None = None
        self._busy = False
        self.task = asyncio.create_task(self._serve())

    def client_gone(self, *, for_good: bool = False) -> None:
        """Give up the open request; a tunnel only when both sides are closed."""
        tunnel = self._visit is not None and self._visit.tunnel
        if self._busy and (for_good or not tunnel):
            self.task.cancel()

    async def _serve(self) -> None:
        # A cancelled connection has ended as it should: its client is gone, or the emulator stops.
        with suppress(asyncio.CancelledError, OSError):
            try:
                while await self._next():
                    pass
                await self._linger()
            except Refusal as refusal:
                await self._refuse(refusal)
            except (BadHead, Truncated) as error:
                await self._refuse(Refusal(getattr(error, "code", 400), str(error)))
            finally:
                self._writer.close()

    async def _next(self) -> bool:
        request = await self._head()
        if request is None:
            return False
        if request.body().too_large:
            raise Refusal(413, "The body is larger than 32 MiB; send it chunked, or to Cloud Storage.")
        self._busy = True
        try:
            return await self._exchange(request)
        finally:
            self._busy = False

    async def _head(self) -> Request | None:
        """The next request's head; a connection may be idle before it for as long as its client likes."""
        begun = await self._reader.read(1)
        if not begun:
            return None
        try:
            async with self._backend.clock.timeout(_HEAD_SECONDS):
                return await read_request(self._reader, begun)
        except TimeoutError:
            raise Refusal(408, f"The head was not complete within {_HEAD_SECONDS:g} s.") from None

    async def _exchange(self, request: Request) -> bool:
        request = await self._backend.check(request)
        self._visit = Visit(request, self._reader, self._writer, self._backend)
        try:
            return await self._visit.run()
        except Broken:
            self._writer.transport.abort()
            return False
        finally:
            self._visit = None

    async def _refuse(self, refusal: Refusal) -> None:
        self._writer.write(answer(refusal))
        await self._linger()

    async def _linger(self) -> None:
        """Closing over unread bytes would reset the connection before the client has read the answer."""
        if self._writer.is_closing():
            return
        self._writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reader.read(MAX_HEAD_BYTES):
                    pass
