"""What happens on one client connection? Requests one after the other: check, admit, relay.

A client that closes its side while a request is open is gone, as for any HTTP proxy: the request is
cancelled, so that no instance works for nobody. In a WebSocket a closed side is passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from emulators.cloud_run.front.bodies import Truncated
from emulators.cloud_run.front.heads import MAX_HEAD_BYTES, BadHead, Request, read_request
from emulators.cloud_run.front.refusals import Refusal, answer
from emulators.cloud_run.front.relay import NoResponse, Relay, Unreachable
from emulators.cloud_run.instances.admission import Exhausted, Unavailable
from emulators.cloud_run.instances.instance import Instance
from emulators.cloud_run.runtime.contract import RuntimeFailure

_LINGER_SECONDS = 1.0
_ATTEMPTS = 3
_DEATH_SECONDS = 0.2


class Target(Protocol):
    """The service behind a listener."""

    async def admit(self) -> Instance:
        """An acquired instance; raises Unavailable or Exhausted."""


Check = Callable[[Request], Awaitable[Request]]


class ClientProtocol(asyncio.StreamReaderProtocol):
    """Streams, plus the news that the client has gone."""

    def __init__(self, check: Check, target: Target, connections: set[asyncio.Task[None]]) -> None:
        self._incoming = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
        super().__init__(self._incoming, self._accept)
        self._check = check
        self._target = target
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
        self._connection = Connection(reader, writer, self._check, self._target)
        self._connections.add(self._connection.task)
        self._connection.task.add_done_callback(self._connections.discard)


class Connection:
    """One client connection and the request that is open on it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, check: Check, target: Target
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._check = check
        self._target = target
        self._relay: Relay | None = None
        self._busy = False
        self.task = asyncio.create_task(self._serve())

    def client_gone(self, *, for_good: bool = False) -> None:
        """Give up the open request; a tunnel only when both sides are closed."""
        tunnel = self._relay is not None and self._relay.tunnel
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
        request = await read_request(self._reader)
        if request is None:
            return False
        if request.body().too_large:
            raise Refusal(413, "The body is larger than 32 MiB; send it chunked, or to Cloud Storage.")
        self._busy = True
        try:
            return await self._exchange(request)
        finally:
            self._busy = False

    async def _exchange(self, request: Request) -> bool:
        request = await self._check(request)
        for _ in range(_ATTEMPTS):
            instance = await self._admitted()
            self._relay = Relay(request, self._reader, self._writer)
            try:
                return await self._bounded(self._relay, instance)
            except Unreachable:
                # It has just died, or has closed its port: the request is whole, so another instance can have it.
                if instance.alive:
                    instance.fail("The instance does not accept connections any more.")
            except NoResponse:
                # Its death is noticed before its client is answered, so that the next request goes elsewhere.
                await asyncio.wait({instance.life}, timeout=_DEATH_SECONDS)
                raise
            finally:
                self._relay = None
                instance.release()
        raise Refusal(503, "The instance does not accept connections.")

    async def _admitted(self) -> Instance:
        try:
            return await self._target.admit()
        except Unavailable as error:
            raise Refusal(503, str(error)) from error
        except Exhausted as error:
            raise Refusal(429, str(error)) from error

    async def _bounded(self, relay: Relay, instance: Instance) -> bool:
        limit = instance.revision.timeout.total_seconds()
        try:
            async with asyncio.timeout(limit):
                return await relay.run(*await instance.awake())
        except RuntimeFailure as error:
            raise Refusal(503, str(error)) from error
        except TimeoutError:
            if not relay.begun:
                raise Refusal(
                    504, f"The request was cut after the service's timeout of {limit:g} s."
                ) from None
        except (Truncated, ExceptionGroup):
            if not relay.begun:
                raise
        # The response has begun, so its end can only be shown by breaking the connection.
        self._writer.transport.abort()
        return False

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
