"""How does a body get across? As the bytes it came in, with its end recognised."""

from __future__ import annotations

import asyncio
import re

from emulators.cloud_run.front.heads import MAX_HEAD_BYTES, Body, Framing
from emulators.cloud_run.front.sender import Receiver

_PIECE = 64 * 1024
# Stricter than int(): no sign, no underscore, nothing that another reader could take differently.
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n\Z")


class Truncated(Exception):
    """The sender stopped before the end of its body, or broke its framing."""


async def copy_body(body: Body, reader: asyncio.StreamReader, writer: Receiver) -> None:
    """Relay one body piece by piece, as fast as the receiver takes it."""
    if body.framing is Framing.LENGTH:
        await _copy_exactly(body.length, reader, writer)
    elif body.framing is Framing.CHUNKED:
        await _copy_chunks(reader, writer)
    elif body.framing is Framing.UNTIL_CLOSE:
        await copy_until_close(reader, writer)


async def copy_until_close(reader: asyncio.StreamReader, writer: Receiver) -> None:
    """Relay bytes until the sender ends its side."""
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()


async def _copy_exactly(length: int, reader: asyncio.StreamReader, writer: Receiver) -> None:
    while length:
        piece = await reader.read(min(length, _PIECE))
        if not piece:
            raise Truncated("The body ended before its length.")
        length -= len(piece)
        writer.write(piece)
        await writer.drain()


async def _copy_chunks(reader: asyncio.StreamReader, writer: Receiver) -> None:
    while True:
        line = await _line(reader)
        match = _CHUNK_SIZE.match(line)
        if match is None:
            raise Truncated("A chunk's size is malformed.")
        size = int(match[1], 16)
        if size == 0:
            break
        writer.write(b"%x\r\n" % size)
        await _copy_exactly(size + 2, reader, writer)
    await _skip_trailers(reader)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _skip_trailers(reader: asyncio.StreamReader) -> None:
    """Whoever relays a message may leave its trailers out; some containers take them for a broken request."""
    length = 0
    while (line := await _line(reader)) != b"\r\n":
        length += len(line)
        if length > MAX_HEAD_BYTES:
            raise Truncated("The trailers are too long.")


async def _line(reader: asyncio.StreamReader) -> bytes:
    broken = Truncated("The body's framing is broken.")
    try:
        line = await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise broken from None
    if not line.endswith(b"\r\n"):
        raise broken
    return line
