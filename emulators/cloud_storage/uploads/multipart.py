"""Where do the fields end and the content begin?  ``multipart`` uploads and forms, read as they come."""

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
    await source.head()
    resource = read_resource(await source.until(delimiter + b"\r\n"))
    head = (await source.head()).decode("latin-1").lstrip()
    return Parts(resource, HeaderParser().parsestr(head).get("content-type"), source.content(delimiter))


@dataclass(frozen=True, slots=True)
class Form:
    """An HTML form: its fields, and the file that comes after them."""

    fields: dict[str, str]
    file: AsyncIterator[bytes]


async def read_form(content_type: str, stream: AsyncIterator[bytes]) -> Form:
    """Read the fields before the file; the file is left to be read."""
    delimiter = b"\r\n--" + _boundary(content_type)
    source, fields, size = _Source(stream, b"\r\n"), dict[str, str](), 0
    await source.until(delimiter)
    while await source.take(2) == b"\r\n":
        head = HeaderParser().parsestr((await source.head()).decode("utf-8", "replace").lstrip())
        name = head.get_param("name", header="content-disposition")
        if name == "file":
            return Form(fields, source.content(delimiter))
        value = await source.until(delimiter)
        size += len(value)
        if not isinstance(name, str) or size > _MAX_HEAD:
            raise StorageError(
                Reason.INVALID, "The form has a field without a name, or too much in its fields."
            )
        fields[name] = _text(value)
    raise StorageError(Reason.INVALID, "The form has no file, which must be its last field.")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise StorageError(Reason.INVALID, "A field of the form is not UTF-8.") from error


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

    async def head(self) -> bytes:
        """The head of a part whose first line begins here; it may have none."""
        self._buffer[:0] = b"\r\n"
        return await self.until(b"\r\n\r\n")

    async def take(self, count: int) -> bytes:
        """The next bytes."""
        while len(self._buffer) < count:
            await self._more()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

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
