"""How far is this upload?  Uploads that go on after a broken connection, and after the emulator was killed.

What is persisted is a multiple of 256 KiB until the end is known, as with Cloud Storage: a client must ask how
far it came and send the rest again.  A week after its start an upload is forgotten.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import uuid4

from starlette.requests import ClientDisconnect

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.content import QUANTUM, ContentWriter
from emulators.cloud_storage.kept.records import ObjectRecord
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.uploads.intake import Announcement, put, seal
from emulators.cloud_storage.uploads.ranges import ByteRange, ContentRange
from emulators.cloud_storage.uploads.sessions import Session, SessionFiles

LIFETIME = timedelta(days=7)
_REMEMBERED = 10_000
"""Uploads at a time, complete ones included."""


@dataclass(frozen=True, slots=True)
class Progress:
    """An upload that is not complete: how many bytes are persisted."""

    persisted: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a 308 answer; no Range means nothing."""
        return {"Range": f"bytes=0-{self.persisted - 1}"} if self.persisted else {}


class Upload:
    """One upload, from its start to its object; its requests are taken one after another."""

    def __init__(self, store: Store, files: SessionFiles, session: Session, total: int | None = None) -> None:
        self._store = store
        self._files = files
        self._session = session
        self._announced = session.announced
        self._total = total
        self._bytes: ContentWriter | None = None
        self._turn = asyncio.Lock()
        self._failed: StorageError | None = None
        self.started = session.started
        self.bucket, self.name = session.announced.bucket, session.announced.name
        self.origin = session.announced.origin

    async def advance(
        self, arrived: ContentRange, stream: AsyncIterator[bytes], hashes: Mapping[str, str]
    ) -> ObjectRecord | Progress:
        """Take what one request brings; the object once it is complete."""
        async with self._turn:
            if (record := self._ended()) is not None:
                return record
            writer = await self._opened()
            self._set_total(arrived.total, writer)
            if arrived.carried is not None:
                await self._take(arrived.carried, stream, writer)
            if self._total is None or writer.received < self._total:
                await writer.pause()
                return Progress(writer.persisted)
            return await self._complete(hashes, writer)

    async def take_all(self, stream: AsyncIterator[bytes], hashes: Mapping[str, str]) -> ObjectRecord:
        """Take everything from one request that does not say how much it brings."""
        async with self._turn:
            if (record := self._ended()) is not None:
                return record
            self.discard()
            self._bytes = writer = self._files.new_bytes(self._session.id)
            await self._append(stream, writer)
            if self._total not in (None, writer.received):
                self._fail(f"{writer.received} bytes came instead of the announced {self._total}.")
            return await self._complete(hashes, writer)

    async def cancel(self) -> None:
        """End the upload without an object."""
        async with self._turn:
            self.discard()

    def discard(self) -> None:
        """Remove what was received; an object that was made of it stays."""
        if self._bytes is not None:
            self._bytes.discard()
            self._bytes = None
        self._files.remove_bytes(self._session.id)

    async def _opened(self) -> ContentWriter:
        if self._bytes is None:
            self._bytes = await asyncio.to_thread(self._files.kept_bytes, self._session.id)
        return self._bytes

    def _ended(self) -> ObjectRecord | None:
        """The object, for a client that asks again because the last answer was lost."""
        if self._failed is not None:
            raise self._failed
        return self._session.finished

    def _set_total(self, total: int | None, writer: ContentWriter) -> None:
        if total is None:
            return
        if self._total not in (None, total) or total < writer.persisted:
            message = f"The upload has {self._total or writer.persisted} bytes and cannot have {total}."
            raise StorageError(Reason.INVALID, message)
        if self._announced.limits is not None:
            self._announced.limits.check(total)
        self._total = total

    async def _take(self, carried: ByteRange, stream: AsyncIterator[bytes], writer: ContentWriter) -> None:
        persisted = writer.persisted
        if carried.start > persisted:
            message = f"Byte {carried.start} was sent, but the upload is at byte {persisted}."
            raise StorageError(Reason.INVALID, message)
        if carried.stop != self._total and len(carried) < QUANTUM:
            message = f"All requests but the last must bring at least {QUANTUM} bytes."
            raise StorageError(Reason.INVALID, message)
        await self._append(_skip(stream, persisted - carried.start), writer)
        if writer.received != max(carried.stop, persisted):
            self._fail(f"The body is not of the {len(carried)} bytes that Content-Range announced.")

    async def _append(self, stream: AsyncIterator[bytes], writer: ContentWriter) -> None:
        try:
            async for data in stream:
                await writer.write(data)
                if self._announced.limits is not None:
                    self._announced.limits.check_so_far(writer.received)
        except ClientDisconnect:
            await writer.pause()
            raise
        except StorageError as error:
            self._end_with(error)
            raise

    async def _complete(self, hashes: Mapping[str, str], writer: ContentWriter) -> ObjectRecord:
        try:
            content = await seal(self._announced, writer, hashes)
            self._session = await asyncio.to_thread(self._files.publish, self._session, content)
            assert self._session.content is not None
            record = await put(self._store, self._announced, self._session.content)
        except StorageError as error:
            self._end_with(error)
            raise
        self._bytes = None
        self._session = replace(self._session, finished=record)
        await asyncio.to_thread(self._files.end, self._session)
        return record

    def _fail(self, message: str) -> NoReturn:
        error = StorageError(Reason.INVALID, message)
        self._end_with(error)
        raise error

    def _end_with(self, error: StorageError) -> None:
        """Answer every later request like this one: the bytes are no use any more."""
        self._failed = error
        self.discard()
        self._files.remove(self._session.id)


async def _skip(stream: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    """The stream without its first bytes, which are persisted already."""
    async for data in stream:
        yield data[count:]
        count = max(0, count - len(data))


class Uploads:
    """The uploads under way, and the last that were completed."""

    def __init__(self, store: Store, files: SessionFiles, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._uploads: OrderedDict[str, Upload] = OrderedDict()
        self._expired: set[str] = set()
        for session in files.read():
            self._uploads[session.id] = Upload(store, files, self._settled(session))

    async def start(self, announced: Announcement, total: int | None) -> str:
        """Begin an upload; its id is the right to go on with it."""
        self._forget_old()
        announced.check_before(self._store)
        if total is not None and announced.limits is not None:
            announced.limits.check(total)
        session = Session(uuid4().hex + uuid4().hex, self._clock(), announced)
        await asyncio.to_thread(self._files.write, session)
        self._uploads[session.id] = Upload(self._store, self._files, session, total)
        return session.id

    def find(self, upload_id: str, bucket: str, name: str | None = None) -> Upload:
        """The upload to this bucket and object; raises when it is unknown, has expired or was cancelled."""
        self._forget_old()
        if upload_id in self._expired:
            raise StorageError(Reason.GONE, "The upload has expired. Start anew.")
        upload = self._uploads.get(upload_id)
        if upload is None or upload.bucket != bucket or name not in (None, upload.name):
            raise StorageError(Reason.NO_UPLOAD, "No such upload, or it was cancelled. Start anew.")
        return upload

    def origin(self, upload_id: str) -> str | None:
        """Whose pages may go on with an upload; None also when it is unknown."""
        upload = self._uploads.get(upload_id)
        return None if upload is None else upload.origin

    async def cancel(self, upload_id: str, bucket: str, name: str | None = None) -> None:
        """End an upload; nothing of it stays."""
        upload = self.find(upload_id, bucket, name)
        del self._uploads[upload_id]
        await upload.cancel()
        self._files.remove(upload_id)

    def _forget_old(self) -> None:
        """Drop what has expired, the oldest first."""
        latest_expired = self._clock() - LIFETIME
        while self._uploads:
            upload_id, oldest = next(iter(self._uploads.items()))
            if oldest.started > latest_expired and len(self._uploads) <= _REMEMBERED:
                return
            del self._uploads[upload_id]
            oldest.discard()
            self._files.remove(upload_id)
            self._expired.add(upload_id)

    def _settled(self, session: Session) -> Session:
        """The session, with the object that was made of it before a crash could be told."""
        if session.finished is not None or session.content is None:
            return session
        found = [
            record
            for bucket in self._store.buckets.values()
            for shelf in (bucket.versions, bucket.soft_deleted)
            for record in shelf.records.values()
            if record.content.file == session.content.file
        ]
        if not found:
            return replace(session, content=None)
        settled = replace(session, finished=found[0])
        self._files.end(settled)
        return settled
