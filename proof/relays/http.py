"""An HTTP/1.1 relay: whole messages, byte for byte, one call at a time on each connection."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from proof.tripwire import Call, Dropped, Tripwire

LOOPBACK = "127.0.0.1"
_LONGEST_HEAD = 1 << 18
_NO_BODY = (b"204", b"304")
_LOST = (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, Dropped)

NameOf = Callable[[str, str], str]
"""What a call is named by its method and path."""


class HttpRelay:
    """Between one caller and one emulator."""

    def __init__(
        self, caller: str, target: str, port: Callable[[], int], name_of: NameOf, tripwire: Tripwire
    ) -> None:
        self._caller = caller
        self._target = target
        self._port = port
        self._name_of = name_of
        self._tripwire = tripwire

    async def start(self) -> asyncio.Server:
        """Listens on a free port."""
        return await asyncio.start_server(self._serve, LOOPBACK, 0, limit=_LONGEST_HEAD)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What is lost on the way, or dropped, ends the connection: the caller is told nothing, as by a cut line."""
        try:
            with suppress(*_LOST):
                while request := await read_message(reader, answers=None):
                    writer.write(await self._relay(request))
                    await writer.drain()
        finally:
            writer.close()

    async def _relay(self, request: bytes) -> bytes:
        method, path = request.split(b" ", 2)[:2]
        call = Call(self._caller, self._target, self._name_of(method.decode(), path.decode("latin-1")))
        return await self._tripwire.pass_on(call, lambda: self._forward(method.decode(), request))

    async def _forward(self, method: str, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port(), limit=_LONGEST_HEAD)
        try:
            writer.write(request)
            return await read_message(reader, answers=method)
        finally:
            writer.close()


async def read_message(reader: asyncio.StreamReader, answers: str | None) -> bytes:
    """One whole message: an answer to the method `answers`, or, with None, a request; empty at the end of requests."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        if answers is None:
            return b""
        raise
    fields = _fields(head)
    if answers is not None:
        status = head.split(b" ", 2)[1]
        if status.startswith(b"1"):
            return await read_message(reader, answers)
        if answers == "HEAD" or status in _NO_BODY:
            return head
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return head + await _chunks(reader)
    if b"content-length" in fields:
        return head + await reader.readexactly(int(fields[b"content-length"]))
    return head if answers is None else head + await reader.read()


def _fields(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return {name.lower(): value.strip().lower() for name, _, value in lines}


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """The chunks as they came, up to the empty one and its trailers."""
    pieces = []
    while True:
        line = await reader.readuntil(b"\r\n")
        pieces.append(line)
        if size := int(line.split(b";")[0], 16):
            pieces.append(await reader.readexactly(size + 2))
            continue
        while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
            pieces.append(trailer)
        return b"".join([*pieces, b"\r\n"])
