"""How does one request get to its instance and back? Heads are read, bodies are relayed as bytes.

Each request has a connection of its own to the container, because a pooled one does not survive a freeze.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

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
from emulators.cloud_run.front.sender import Sender

_SWITCHING_PROTOCOLS = 101
# Nobody refuses a connection to the address of a container that has just vanished.
_CONNECT_SECONDS = 10.0


class Unreachable(Exception):
    """The instance does not accept connections; nothing of the request has been sent."""


class NoResponse(Refusal):
    """The instance has taken the request and given no answer: it may have died of it."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The connection to the container; `writer` is there to be closed, what is sent goes by `sender`."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sender: Sender


class Relay:
    """One request and its response; `begun` says whether the client has seen any of the response."""

    def __init__(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.begun = False
        self.tunnel = False
        self._broken = False
        self._upstream: Upstream | None = None
        self._sending: asyncio.Task[None] | None = None
        self._response: tuple[Response, Body] | None = None
        self._request = request
        self._reader = reader
        self._writer = writer

    async def connect(self, host: str, port: int) -> None:
        """Reach the container; raises Unreachable."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(host, port, limit=MAX_HEAD_BYTES)
                self._upstream = Upstream(reader, writer, Sender(writer))
        except (OSError, TimeoutError) as error:
            raise Unreachable from error

    async def ask(self) -> None:
        """Send the request and return with the head of its response; raises NoResponse."""
        upstream = self._connected()
        self._sending = asyncio.create_task(self._send(upstream))
        self._response = await self._response_head(upstream.reader)

    async def answer(self) -> bool:
        """Relay the response; True when the client's connection can carry another request."""
        if self._response is None or self._sending is None:
            raise RuntimeError("Nothing was asked.")
        upstream = self._connected()
        response, body = self._response
        if response.code == _SWITCHING_PROTOCOLS:
            await self._tunnel(response, self._sending, upstream)
            return False
        return await self._answer(response, body, upstream.reader) and self._sending.done()

    async def close(self) -> None:
        """Let go of the container."""
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await self._sending
        if self._upstream is not None:
            self._upstream.sender.close()
            self._upstream.writer.close()

    def _connected(self) -> Upstream:
        if self._upstream is None:
            raise RuntimeError("Nobody was reached.")
        return self._upstream

    async def _send(self, upstream: Upstream) -> None:
        try:
            upstream.sender.write(self._forwarded().encode())
            await upstream.sender.drain()
            await copy_body(self._request.body(), self._reader, upstream.sender)
        except ConnectionError:
            # The container answers without reading on, or has died; its response tells.
            return
        except Truncated:
            self._broken = True
            upstream.writer.transport.abort()

    def _forwarded(self) -> Request:
        request = self._request
        head = request.end_to_end().without(b"x-forwarded-proto", b"trailer")
        head = head.plus((b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-Proto", b"http"))
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
        upstream: Upstream,
    ) -> None:
        self.begun = self.tunnel = True
        await sending
        self._writer.write(response.encode())
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_one_way(self._reader, upstream.sender))
            directions.create_task(_one_way(upstream.reader, self._writer))


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | Sender) -> None:
    with suppress(ConnectionError):
        await copy_until_close(reader, writer)
        writer.write_eof()
