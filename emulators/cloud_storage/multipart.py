"""Where does the metadata end and the content begin?  A ``multipart/related`` upload, read as it comes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import Any

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.requests import read_resource

_MAX_HEAD = 1 << 20


@dataclass(frozen=True, slots=True)
class Parts:
    """The two parts: the object's resource, and the content with its type."""

    resource: dict[str, Any]
    content_type: str | None
    content: AsyncIterator[bytes]


async def read_parts(content_type: str, stream: AsyncIterator[bytes]) -> Parts:
    """Read the first part and the head of the second; the content is left to be read."""
    delimiter = b"\r\n--" + _boundary(content_type)
    # The first boundary may come without the line end that belongs to the others.
    source = _Source(stream, b"\r\n")
    await source.until(delimiter + b"\r\n")
    await source.until(b"\r\n\r\n")
    resource = read_resource(await source.until(delimiter + b"\r\n"))
    head = (await source.until(b"\r\n\r\n")).decode("latin-1")
    return Parts(resource, HeaderParser().parsestr(head).get("content-type"), source.content(delimiter))


class _Source:
    """A stream that can be read up to a mark."""

    def __init__(self, stream: AsyncIterator[bytes], first: bytes) -> None:
        self._stream = stream
        self._buffer = bytearray(first)

    async def until(self, mark: bytes) -> bytes:
        """What comes before the mark; both are consumed."""
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise StorageError(Reason.INVALID, "The metadata part is too large.")
            await self._more()
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return found

    async def content(self, delimiter: bytes) -> AsyncIterator[bytes]:
        """What comes before the delimiter, in pieces."""
        while (at := self._buffer.find(delimiter)) < 0:
            safe = len(self._buffer) - len(delimiter)
            if safe > 0:
                yield bytes(self._buffer[:safe])
                del self._buffer[:safe]
            await self._more()
        yield bytes(self._buffer[:at])
        async for _ in self._stream:
            pass

    async def _more(self) -> None:
        try:
            self._buffer += await anext(self._stream)
        except StopAsyncIteration:
            message = "The multipart body ends before its closing boundary."
            raise StorageError(Reason.INVALID, message) from None


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_boundary()
    if message.get_content_maintype() != "multipart" or not boundary:
        raise StorageError(Reason.INVALID, "A multipart upload needs a Content-Type with a boundary.")
    return boundary.encode("latin-1")
