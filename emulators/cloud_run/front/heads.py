"""What does a request or response head say? Parsed strictly: what two readers could read differently is refused."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Self

MAX_HEAD_BYTES = 64 * 1024
# Cloud Run's limit for HTTP/1 bodies of a given length; chunked ones have none.
MAX_BODY_BYTES = 32 * 1024 * 1024
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# No blank and no control character: a line break would begin a header that nobody has looked at.
_TARGET = re.compile(rb"[^\x00-\x20\x7f]+")
_LENGTH = re.compile(rb"[0-9]{1,18}")
# What a Connection header cannot take away: it says how the message is read, and for whom it is.
_LASTING = frozenset((b"content-length", b"transfer-encoding", b"host"))
_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te"))
Header = tuple[bytes, bytes]


class BadHead(Exception):
    """A head that this front does not relay; `code` is the answer to its sender."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Framing(Enum):
    """How the end of a body is found."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Body:
    """The framing of a body, and its length where one is given."""

    framing: Framing
    length: int = 0

    @property
    def too_large(self) -> bool:
        """Whether Cloud Run refuses it unread."""
        return self.length > MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Head:
    """A start line and its headers, names as they were sent."""

    start: tuple[bytes, bytes, bytes]
    headers: tuple[Header, ...]

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header; `name` in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def tokens(self, name: bytes) -> set[bytes]:
        """The comma separated words of a header, in lower case."""
        return {word.strip().lower() for value in self.values(name) for word in value.split(b",")}

    def without(self, *names: bytes) -> Self:
        """The same head without some headers."""
        return replace(self, headers=tuple(h for h in self.headers if h[0].lower() not in names))

    def plus(self, *headers: Header) -> Self:
        """The same head with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    def encode(self) -> bytes:
        """The bytes of the wire."""
        lines = [b" ".join(self.start).rstrip(b" ")]
        lines += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def end_to_end(self) -> Self:
        """Without the headers that concern one connection only."""
        named = self.tokens(b"connection") - _LASTING
        kept = (h for h in self.headers if h[0].lower() not in _HOP_BY_HOP and h[0].lower() not in named)
        return replace(self, headers=tuple(kept))


class Request(Head):
    """A request head."""

    __slots__ = ()

    @property
    def method(self) -> bytes:
        """GET, POST, ..."""
        return self.start[0]

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to send more requests on this connection."""
        words = self.tokens(b"connection")
        return b"close" not in words and (self.start[2] == b"HTTP/1.1" or b"keep-alive" in words)

    @property
    def upgrade(self) -> bool:
        """Whether the client asks for another protocol, such as WebSocket."""
        return b"upgrade" in self.tokens(b"connection") and bool(self.values(b"upgrade"))

    def body(self) -> Body:
        """How its body ends."""
        return _body(self, Body(Framing.NONE))


class Response(Head):
    """A response head."""

    __slots__ = ()

    @property
    def code(self) -> int:
        """The status code."""
        return int(self.start[1])

    def body(self, method: bytes) -> Body:
        """How its body ends, when it answers that method."""
        if method == b"HEAD" or self.code < 200 or self.code in (204, 304):
            return Body(Framing.NONE)
        return _body(self, Body(Framing.UNTIL_CLOSE))


async def read_request(reader: asyncio.StreamReader, begun: bytes) -> Request | None:
    """The request head of which the byte `begun` has been read; None when the client is done."""
    block = await _read_block(reader, begun)
    if not block:
        return None
    start, headers = _parse(block)
    method, target, version = start
    known = version in (b"HTTP/1.1", b"HTTP/1.0")
    if not (known and _TOKEN.fullmatch(method) and _TARGET.fullmatch(target)):
        raise BadHead(400, "This is not an HTTP/1.1 request line.")
    request = Request(start, headers)
    hosts = len(request.values(b"host"))
    if hosts > 1 or (hosts == 0 and version == b"HTTP/1.1"):
        raise BadHead(400, "A request has one Host header.")
    if version == b"HTTP/1.0" and request.values(b"transfer-encoding"):
        raise BadHead(400, "HTTP/1.0 has no Transfer-Encoding.")
    return request


async def read_response(reader: asyncio.StreamReader) -> Response:
    """The next response head; BadHead when it is missing or malformed."""
    start, headers = _parse(await _read_block(reader))
    if not start[0].startswith(b"HTTP/1.") or not (len(start[1]) == 3 and start[1].isdigit()):
        raise BadHead(503, "The container did not answer with HTTP/1.1.")
    return Response(start, headers)


async def _read_block(reader: asyncio.StreamReader, begun: bytes = b"") -> bytes:
    try:
        block = line = await _line(reader, begun)
        # Empty lines before a request line are tolerated, as RFC 9112 asks.
        while line == b"\r\n":
            block = line = await _line(reader)
        while line != b"\r\n":
            line = await _line(reader)
            block += line
            if len(block) > MAX_HEAD_BYTES:
                raise _too_long()
        return block
    except asyncio.IncompleteReadError:
        return b""


async def _line(reader: asyncio.StreamReader, begun: bytes = b"") -> bytes:
    try:
        line = begun if begun == b"\n" else begun + await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise _too_long() from None
    if not line.endswith(b"\r\n"):
        # Some readers end a line here and others do not; waiting for the other kind of end would be for ever.
        raise BadHead(400, "A line of the head ends without a carriage return.")
    return line


def _too_long() -> BadHead:
    return BadHead(431, f"The head is longer than {MAX_HEAD_BYTES} bytes.")


def _parse(block: bytes) -> tuple[tuple[bytes, bytes, bytes], tuple[Header, ...]]:
    lines = block[:-4].split(b"\r\n")
    words = lines[0].split(b" ", 2)
    if len(words) < 2:
        raise BadHead(400, "The start line is malformed.")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or b"\n" in value or b"\r" in value or b"\0" in value:
            raise BadHead(400, "A header line is malformed.")
        headers.append((name, value.strip(b" \t")))
    return (words[0], words[1], words[2] if len(words) == 3 else b""), tuple(headers)


def _body(head: Head, otherwise: Body) -> Body:
    codings, lengths = head.values(b"transfer-encoding"), set(head.values(b"content-length"))
    if codings and lengths:
        raise BadHead(400, "Both Transfer-Encoding and Content-Length are given.")
    if codings:
        if [coding.lower() for coding in codings] != [b"chunked"]:
            raise BadHead(501, "The only transfer coding is chunked.")
        return Body(Framing.CHUNKED)
    if not lengths:
        return otherwise
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise BadHead(400, "Content-Length is malformed.")
    return Body(Framing.LENGTH, int(length))
