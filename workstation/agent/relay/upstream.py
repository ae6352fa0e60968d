"""How do we speak HTTP/1.1 to the user's server? One connection for one request, bytes both ways.

A pooled connection that idled through a freeze loses the next request, so there is no pool.
"""

import asyncio
import contextlib
import fcntl
import struct
import termios
from collections import deque

import httptools

from agent.relay.headers import Headers

CHUNK = 64 * 1024
CONNECT_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.005


class BrokenAnswerError(Exception):
    """The user's server closed the connection or spoke no HTTP before its answer was complete."""


class Answer:
    """Parses one response as its bytes arrive."""

    def __init__(self, method: str) -> None:
        self.status = 0
        self.headers: Headers = []
        self.begun = False
        self.complete = False
        self.body: deque[bytes] = deque()
        self._method = method
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take bytes of the server; an empty read means that it closed the connection."""
        if not data:
            self._end_of_stream()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise BrokenAnswerError("the answer is not HTTP/1.1") from error

    def _end_of_stream(self) -> None:
        names = {name.lower() for name, _ in self.headers}
        # Without a length the end of the stream is the end of the body (RFC 9112, 6.3).
        if not self.begun or names & {b"content-length", b"transfer-encoding"}:
            raise BrokenAnswerError("the connection was closed before the answer was complete")
        self.complete = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback: one header."""
        if not self.begun:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Parser callback: the head is read; an interim answer (1xx) is skipped."""
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self.headers.clear()
            return
        self.begun = True
        if self._method == "HEAD" or self.status in (204, 304):
            self.complete = True

    def on_body(self, body: bytes) -> None:
        """Parser callback: bytes of the body."""
        self.body.append(body)

    def on_message_complete(self) -> None:
        """Parser callback: the message is read to its end."""
        self.complete = self.complete or self.begun


class Upstream:
    """One connection to the user's server for one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str) -> None:
        self._reader = reader
        self._writer = writer
        self.answer = Answer(method)
        self._chunked = False
        self._established = False

    def send_head(self, target: bytes, method: str, headers: Headers, *, chunked: bool) -> None:
        """Send the request line and the headers."""
        self._chunked = chunked
        framing = [(b"transfer-encoding", b"chunked")] if chunked else []
        lines = [method.encode() + b" " + target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in [*headers, *framing, (b"connection", b"close")]]
        self._writer.write(b"\r\n".join(lines) + b"\r\n\r\n")

    async def send_body(self, data: bytes) -> None:
        """Send a piece of the body and wait until there is room for more."""
        if data:
            await self._establish()
            self._writer.write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)
            await self._writer.drain()

    async def end_body(self) -> None:
        """Send the end of the body."""
        if self._chunked:
            await self._establish()
            self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def read_head(self) -> None:
        """Read up to the end of the head; raises BrokenAnswerError."""
        while not self.answer.begun:
            await self._feed()

    async def read_body(self) -> bytes | None:
        """Return the next piece of the body, None at its end; raises BrokenAnswerError."""
        while not self.answer.body:
            if self.answer.complete:
                return None
            await self._feed()
        return self.answer.body.popleft()

    def close(self) -> None:
        """Close the connection at once."""
        self._writer.transport.abort()

    async def _establish(self) -> None:
        """Wait until the server's side of the connection has the head.

        A server whose accept queue is full (that of Python's http.server holds five) is spoken for by SYN cookies:
        its kernel remembers nothing of the connection, makes it anew of the first segment that finds room, and
        resets it on any later one. The head is that segment, and is sent again until it is taken.
        """
        if self._established:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                while _unacknowledged(self._writer) > 0:  # noqa: ASYNC110 - no event tells of an acknowledgement
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        self._established = True

    async def _feed(self) -> None:
        try:
            data = await self._reader.read(CHUNK)
        except OSError as error:
            raise BrokenAnswerError("the connection broke before the answer was complete") from error
        self.answer.feed(data)


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """How many bytes the other side has not confirmed yet; 0 where the system does not say."""
    connection = writer.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    (waiting,) = struct.unpack("i", answer)
    return int(waiting)


async def connect(port: int, method: str) -> Upstream:
    """Connect to the user's port, IPv4 first as most servers listen there; raises OSError."""
    try:
        reader, writer = await _open("127.0.0.1", port)
    except OSError:
        reader, writer = await _open("::1", port)
    return Upstream(reader, writer, method)


async def _open(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_SECONDS):
        return await asyncio.open_connection(host, port, limit=CHUNK)
