"""How does one request get to its instance and back? Heads are read, bodies are relayed as bytes.

Each request has a connection of its own to the container, because a pooled one does not survive a freeze.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from emulators.cloud_run.front.bodies import Truncated, copy_body, copy_until_close
from emulators.cloud_run.front.heads import (
    MAX_HEAD_BYTES,
    BadHead,
    Body,
    Framing,
    Request,
    Response,
    read_response,
)
from emulators.cloud_run.front.refusals import Refusal

_SWITCHING_PROTOCOLS = 101
# Nobody refuses a connection to the address of a container that has just vanished.
_CONNECT_SECONDS = 10.0


class Unreachable(Exception):
    """The instance does not accept connections; nothing of the request has been sent."""


class NoResponse(Refusal):
    """The instance has taken the request and given no answer: it may have died of it."""


class Relay:
    """One request and its response; `begun` says whether the client has seen any of the response."""

    def __init__(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.begun = False
        self.tunnel = False
        self._broken = False
        self._request = request
        self._reader = reader
        self._writer = writer

    async def run(self, host: str, port: int) -> bool:
        """Relay through the container's address; True when the client's connection can carry another request."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                upstream = await asyncio.open_connection(host, port, limit=MAX_HEAD_BYTES)
        except (OSError, TimeoutError) as error:
            raise Unreachable from error
        reader, writer = upstream
        sending = asyncio.create_task(self._send(writer))
        try:
            response, body = await self._response_head(reader)
            if response.code == _SWITCHING_PROTOCOLS:
                await self._tunnel(response, sending, reader, writer)
                return False
            return await self._answer(response, body, reader) and sending.done()
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sending
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(self._forwarded().encode())
            await copy_body(self._request.body(), self._reader, writer)
        except ConnectionError:
            # The container answers without reading on, or has died; its response tells.
            return
        except Truncated:
            self._broken = True
            writer.transport.abort()

    def _forwarded(self) -> Request:
        request = self._request
        head = request.end_to_end().plus((b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-Proto", b"http"))
        connection = b"Upgrade" if request.upgrade else b"close"
        upgrades = ((b"Upgrade", value) for value in request.values(b"upgrade") if request.upgrade)
        return head.plus((b"Connection", connection), *upgrades)

    async def _response_head(self, reader: asyncio.StreamReader) -> tuple[Response, Body]:
        try:
            response = await read_response(reader)
            while response.code < 200 and response.code != _SWITCHING_PROTOCOLS:
                self._writer.write(response.encode())
                response = await read_response(reader)
            body = response.body(self._request.method)
        except (BadHead, ConnectionError) as error:
            if self._broken:
                raise Refusal(400, "The request's body is broken.") from error
            raise NoResponse(503, "The instance closed the connection without an HTTP response.") from error
        if body.too_large:
            raise Refusal(500, "The response is larger than 32 MiB; send it chunked, or by Cloud Storage.")
        return response, body

    async def _answer(self, response: Response, body: Body, reader: asyncio.StreamReader) -> bool:
        lasting = self._request.keep_alive and body.framing is not Framing.UNTIL_CLOSE
        connection = b"keep-alive" if lasting else b"close"
        self.begun = True
        self._writer.write(response.end_to_end().plus((b"Connection", connection)).encode())
        await copy_body(body, reader, self._writer)
        await self._writer.drain()
        return lasting

    async def _tunnel(
        self,
        response: Response,
        sending: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.begun = self.tunnel = True
        await sending
        self._writer.write(response.encode())
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_one_way(self._reader, writer))
            directions.create_task(_one_way(reader, self._writer))


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        await copy_until_close(reader, writer)
        writer.write_eof()
