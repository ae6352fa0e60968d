"""How do bytes leave?  Streamed piece by piece, whole or a range, as stored or unpacked."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from emulators.cloud_storage.kept.records import ObjectRecord
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.resources import content_headers, object_headers
from emulators.cloud_storage.uploads.ranges import ByteRange, parse_range
from emulators.serving import cut

_PIECE = 1 << 20
_GZIP = zlib.MAX_WBITS | 16
_MAGIC = b"\x1f\x8b"


def download(store: Store, record: ObjectRecord, request: Request) -> Response:
    """The object's bytes, as the request asks for them."""
    headers = object_headers(record) | content_headers(record)
    if _must_unpack(record, request) and _is_packed(store.open(record.content)):
        # The length is not known before, and a range of unpacked bytes cannot be found: so all of it.
        del headers["Content-Encoding"]
        headers["Warning"] = '214 UploadServer "Transformation Applied"'
        return StreamingResponse(_unpacked(store.open(record.content)), 200, headers)
    asked = parse_range(request.headers.get("range"), record.content.size)
    part = asked or ByteRange(0, record.content.size)
    headers["Content-Length"] = str(len(part))
    if asked is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{record.content.size}"
    status = 200 if asked is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    # Opened before anything else can happen: a later delete does not disturb the reader.
    return StreamingResponse(_pieces(store.open(record.content), part), status, headers)


class BrokenOff(Response):
    """The head of a download and a part of its bytes; then the connection breaks."""

    def __init__(self, whole: StreamingResponse) -> None:
        super().__init__()
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the first piece."""
        head = {"type": "http.response.start", "status": self._whole.status_code}
        await send(head | {"headers": self._whole.raw_headers})
        async for piece in self._whole.body_iterator:
            await send({"type": "http.response.body", "body": piece[: len(piece) // 2], "more_body": True})
            break
        await cut(Request(scope))(scope, receive, send)


async def _pieces(file: BinaryIO, part: ByteRange) -> AsyncIterator[bytes]:
    with file:
        file.seek(part.start)
        left = len(part)
        while left and (data := await asyncio.to_thread(file.read, min(left, _PIECE))):
            left -= len(data)
            yield data


def _must_unpack(record: ObjectRecord, request: Request) -> bool:
    """Whether the object is stored compressed, and the client does not say that it takes that."""
    return (
        record.attributes.get("contentEncoding") == "gzip"
        and "gzip" not in request.headers.get("accept-encoding", "")
        and request.method != "HEAD"
    )


def _is_packed(file: BinaryIO) -> bool:
    """Whether the bytes are gzip's, as the metadata say; otherwise they can only be given as they are."""
    with file:
        return file.read(len(_MAGIC)) == _MAGIC


async def _unpacked(file: BinaryIO) -> AsyncIterator[bytes]:
    """The bytes behind gzip; a small file may unpack to much, so each step's output is bounded too."""
    decoder = zlib.decompressobj(_GZIP)
    with file:
        while data := await asyncio.to_thread(file.read, _PIECE):
            while data:
                yield await asyncio.to_thread(decoder.decompress, data, _PIECE)
                data = decoder.unconsumed_tail
                if decoder.eof:
                    # A file of gzip may have several members, one after another.
                    data, decoder = decoder.unused_data, zlib.decompressobj(_GZIP)
                    if data and not data.startswith(_MAGIC):
                        return
        yield decoder.flush()
