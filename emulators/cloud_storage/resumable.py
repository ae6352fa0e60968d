"""How far is this upload?  Uploads that go on after a broken connection.

What is persisted is a multiple of 256 KiB until the end is known, as with Cloud Storage: a client must ask how
far it came and send the rest again.  Uploads are forgotten when the emulator ends; clients then get 404 and
start over, as they must after a week with Cloud Storage.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import NoReturn
from uuid import uuid4

from starlette.requests import ClientDisconnect

from emulators.cloud_storage.content import QUANTUM
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.intake import Announcement, put, seal
from emulators.cloud_storage.ranges import ByteRange, ContentRange
from emulators.cloud_storage.records import ObjectRecord
from emulators.cloud_storage.store import Store

_REMEMBERED = 256
"""Uploads at a time; each that is under way holds a file open."""


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

    def __init__(self, store: Store, announced: Announcement, total: int | None) -> None:
        self._store = store
        self._announced = announced
        self._total = total
        self._writer = store.writer()
        self._turn = asyncio.Lock()
        self._finished: ObjectRecord | None = None
        self._failed: StorageError | None = None

    async def advance(
        self, arrived: ContentRange, stream: AsyncIterator[bytes], hashes: Mapping[str, str]
    ) -> ObjectRecord | Progress:
        """Take what one request brings; the object once it is complete."""
        async with self._turn:
            if (record := self._ended()) is not None:
                return record
            self._set_total(arrived.total)
            if arrived.carried is not None:
                await self._take(arrived.carried, stream)
            if self._total is None or self._writer.received < self._total:
                await self._writer.pause()
                return Progress(self._writer.persisted)
            return await self._complete(hashes)

    async def take_all(self, stream: AsyncIterator[bytes], hashes: Mapping[str, str]) -> ObjectRecord:
        """Take everything from one request that does not say how much it brings."""
        async with self._turn:
            if (record := self._ended()) is not None:
                return record
            self._writer.discard()
            self._writer = self._store.writer()
            await self._append(stream)
            if self._total not in (None, self._writer.received):
                self._fail(f"{self._writer.received} bytes came instead of the announced {self._total}.")
            return await self._complete(hashes)

    async def cancel(self) -> None:
        """End the upload without an object."""
        async with self._turn:
            self.discard()

    def discard(self) -> None:
        """Remove what was received, unless it is an object by now."""
        if self._finished is None:
            self._writer.discard()

    def _ended(self) -> ObjectRecord | None:
        """The object, for a client that asks again because the last answer was lost."""
        if self._failed is not None:
            raise self._failed
        return self._finished

    def _set_total(self, total: int | None) -> None:
        if total is None:
            return
        if self._total not in (None, total) or total < self._writer.persisted:
            message = f"The upload has {self._total or self._writer.persisted} bytes and cannot have {total}."
            raise StorageError(Reason.INVALID, message)
        if self._announced.limits is not None:
            self._announced.limits.check(total)
        self._total = total

    async def _take(self, carried: ByteRange, stream: AsyncIterator[bytes]) -> None:
        persisted = self._writer.persisted
        if carried.start > persisted:
            message = f"Byte {carried.start} was sent, but the upload is at byte {persisted}."
            raise StorageError(Reason.INVALID, message)
        if carried.stop != self._total and len(carried) < QUANTUM:
            message = f"All requests but the last must bring at least {QUANTUM} bytes."
            raise StorageError(Reason.INVALID, message)
        await self._append(_skip(stream, persisted - carried.start))
        if self._writer.received != max(carried.stop, persisted):
            self._fail(f"The body is not of the {len(carried)} bytes that Content-Range announced.")

    async def _append(self, stream: AsyncIterator[bytes]) -> None:
        try:
            async for data in stream:
                await self._writer.write(data)
                if self._announced.limits is not None:
                    self._announced.limits.check_so_far(self._writer.received)
        except ClientDisconnect:
            await self._writer.pause()
            raise
        except StorageError as error:
            self._end_with(error)
            raise

    async def _complete(self, hashes: Mapping[str, str]) -> ObjectRecord:
        try:
            content = await seal(self._announced, self._writer, hashes)
            self._finished = await put(self._store, self._announced, content)
        except StorageError as error:
            self._end_with(error)
            raise
        return self._finished

    def _fail(self, message: str) -> NoReturn:
        error = StorageError(Reason.INVALID, message)
        self._end_with(error)
        raise error

    def _end_with(self, error: StorageError) -> None:
        """Answer every later request like this one: the bytes are no use any more."""
        self._failed = error
        self._writer.discard()


async def _skip(stream: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    """The stream without its first bytes, which are persisted already."""
    async for data in stream:
        yield data[count:]
        count = max(0, count - len(data))


class Uploads:
    """The uploads under way, and the last that were completed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uploads: OrderedDict[str, Upload] = OrderedDict()

    def start(self, announced: Announcement, total: int | None) -> str:
        """Begin an upload; its id is the right to go on with it."""
        announced.check_before(self._store)
        if total is not None and announced.limits is not None:
            announced.limits.check(total)
        upload_id = uuid4().hex + uuid4().hex
        self._uploads[upload_id] = Upload(self._store, announced, total)
        if len(self._uploads) > _REMEMBERED:
            _, oldest = self._uploads.popitem(last=False)
            oldest.discard()
        return upload_id

    def find(self, upload_id: str) -> Upload:
        """The upload; raises when it is unknown or was cancelled."""
        if upload_id not in self._uploads:
            raise StorageError(
                Reason.NO_UPLOAD, "No such upload: it was cancelled, or has expired. Start anew."
            )
        self._uploads.move_to_end(upload_id)
        return self._uploads[upload_id]

    async def cancel(self, upload_id: str) -> None:
        """End an upload; nothing of it stays."""
        upload = self.find(upload_id)
        del self._uploads[upload_id]
        await upload.cancel()
