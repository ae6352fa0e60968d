"""Objects in parts: the XML API's multipart uploads, whose parts may come in any order and at the same time."""

import asyncio
from base64 import b64decode
from binascii import hexlify
from collections.abc import AsyncIterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_storage.calls import Calls, Take
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.content import ContentWriter
from emulators.cloud_storage.kept.names import is_number, xml_path
from emulators.cloud_storage.kept.records import Content
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import body, origin
from emulators.cloud_storage.resources import object_headers
from emulators.cloud_storage.uploads.intake import Announcement, check_hashes, hashes_in_headers, put
from emulators.cloud_storage.uploads.parts import PartFiles, no_upload

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_SMALLEST = 5 << 20
"""Bytes of a part that is not the last."""
_MOST_PARTS = 10_000
_PIECE = 1 << 20


class XmlMultipart:
    """The requests with ``?uploads`` and ``?uploadId=``."""

    def __init__(self, store: Store, files: PartFiles, calls: Calls) -> None:
        self._store = store
        self._files = files
        self._calls = calls

    async def answer(self, request: Request, announced: Announcement, query: dict[str, str]) -> Response:
        """Start an upload, take a part, complete or abort."""
        upload_id = query.get("uploadId", "")
        answers: dict[tuple[str, bool, bool], Take] = {
            ("POST", True, False): self._start,
            ("PUT", False, True): lambda _: self._take(request, upload_id, query["partNumber"]),
            ("POST", False, False): lambda asked: self._complete(request, upload_id, asked),
            ("DELETE", False, False): lambda _: self._abort(upload_id),
        }
        answer = answers.get((request.method, "uploads" in query, "partNumber" in query))
        if answer is None:
            raise StorageError(Reason.UNSUPPORTED, "This emulator does not list multipart uploads.")
        if upload_id:
            self._files.check(upload_id, announced.bucket, announced.name)
        try:
            return await self._calls.insert(request, announced, answer)
        except FileNotFoundError as error:
            # It was completed or aborted meanwhile, by another request or by a lifecycle rule.
            raise no_upload() from error

    async def _start(self, announced: Announcement) -> Response:
        announced.check_before(self._store)
        upload_id = await asyncio.to_thread(self._files.start, announced, self._store.now())
        names = (("Bucket", announced.bucket), ("Key", announced.name), ("UploadId", upload_id))
        return _document("InitiateMultipartUploadResult", names)

    async def _take(self, request: Request, upload_id: str, number: str) -> Response:
        if not is_number(number) or not 1 <= int(number) <= _MOST_PARTS:
            raise StorageError(Reason.INVALID, f"partNumber must be from 1 to {_MOST_PARTS}.")
        writer = self._files.writer(upload_id)
        try:
            content = await _received(writer, request)
        except BaseException:
            writer.discard()
            raise
        await asyncio.to_thread(self._files.keep, upload_id, int(number), content)
        hashes = f"crc32c={content.crc32c},md5={content.md5}"
        return Response(headers={"ETag": _etag(content), "x-goog-hash": hashes})

    async def _complete(self, request: Request, upload_id: str, asked: Announcement) -> Response:
        parts = _chosen(self._files.parts(upload_id), await body(request))
        announced = self._files.announced(upload_id)
        if asked.conditions.creates_only:
            announced = announced.creating_only()
        if announced.limits is not None:
            announced.limits.check(sum(part.size for part in parts))
        writer = self._store.writer()
        try:
            async for data in self._bytes(upload_id, parts):
                await writer.write(data)
            content = await writer.finish(composed=True)
        except BaseException:
            writer.discard()
            raise
        record = await put(self._store, announced, content)
        await asyncio.to_thread(self._files.remove, upload_id)
        location = origin(request) + xml_path(record.bucket, record.name)
        names = (("Location", location), ("Bucket", record.bucket), ("Key", record.name))
        answer = _document("CompleteMultipartUploadResult", (*names, ("ETag", f'"{record.etag}"')))
        answer.headers.update(object_headers(record))
        return answer

    async def _abort(self, upload_id: str) -> Response:
        await asyncio.to_thread(self._files.remove, upload_id)
        return Response(status_code=204)

    async def _bytes(self, upload_id: str, parts: list[Content]) -> AsyncIterator[bytes]:
        for part in parts:
            with self._files.open(upload_id, part) as file:
                while data := await asyncio.to_thread(file.read, _PIECE):
                    yield data


async def _received(writer: ContentWriter, request: Request) -> Content:
    async for data in request.stream():
        await writer.write(data)
    content = await writer.finish()
    check_hashes(content, hashes_in_headers(request.headers))
    return content


def _etag(content: Content) -> str:
    return f'"{hexlify(b64decode(content.md5 or "")).decode()}"'


def _chosen(parts: dict[int, Content], data: bytes) -> list[Content]:
    """The parts that the client names, in the order of their numbers; raises unless all are as it says."""
    named = _named(data)
    if not named or sorted({number for number, _ in named}) != [number for number, _ in named]:
        raise StorageError(Reason.BAD_PARTS, "The parts must be named once each, in ascending order.")
    for number, etag in named:
        if number not in parts or etag.strip('"') != _etag(parts[number]).strip('"'):
            raise StorageError(Reason.BAD_PART, f"Part {number} was not uploaded, or has another ETag.")
    chosen = [parts[number] for number, _ in named]
    if any(part.size < _SMALLEST for part in chosen[:-1]):
        raise StorageError(Reason.TOO_SMALL, f"All parts but the last must have at least {_SMALLEST} bytes.")
    return chosen


def _named(data: bytes) -> list[tuple[int, str]]:
    if b"<!" in data:
        raise StorageError(Reason.MALFORMED_XML, "The list of parts may declare nothing.")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - no declarations, so no entities
        found = [
            {child.tag.rpartition("}")[2]: child.text or "" for child in part}
            for part in root
            if part.tag.rpartition("}")[2] == "Part"
        ]
        return [(int(part["PartNumber"]), part["ETag"]) for part in found]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise StorageError(Reason.MALFORMED_XML, f"The list of parts is malformed: {error!r}.") from error


def _document(name: str, parts: tuple[tuple[str, str], ...]) -> Response:
    inner = "".join(f"<{part}>{escape(text)}</{part}>" for part, text in parts)
    text = f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{_NAMESPACE}">{inner}</{name}>'
    return Response(text, media_type="application/xml")
