"""Which buckets and objects are there now?  The index in memory, over the files on disk.

A change holds the lock of its name from the check of its preconditions to its commit, so one of many racing
changes wins.  Disk work runs in threads; the index itself is touched on the event loop only.
"""

import asyncio
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, BinaryIO
from weakref import WeakValueDictionary

from emulators.cloud_storage.content import ContentWriter
from emulators.cloud_storage.disk import Disk
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.preconditions import Preconditions
from emulators.cloud_storage.records import Content, ObjectRecord

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Bucket:
    """A bucket and the objects in it."""

    name: str
    created: datetime
    updated: datetime
    metageneration: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, ObjectRecord] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    """The objects' names, sorted."""
    changes: int = 0
    """How many changes of objects are under way."""

    @property
    def generation(self) -> int:
        """Buckets have none."""
        return 0

    @property
    def etag(self) -> str:
        """A name for this metageneration."""
        return f"CA{self.metageneration}="

    def keep(self, record: ObjectRecord) -> None:
        """Put an object into the index."""
        if record.name not in self.objects:
            insort(self.names, record.name)
        self.objects[record.name] = record

    def drop(self, name: str) -> None:
        """Take an object out of the index."""
        del self.objects[name]
        del self.names[bisect_left(self.names, name)]

    def as_stored(self) -> dict[str, Any]:
        """The bucket's record, as JSON values."""
        return {
            "name": self.name,
            "created": self.created.isoformat(),
            "updated": self.updated.isoformat(),
            "metageneration": self.metageneration,
            "attributes": self.attributes,
        }


class Store:
    """All buckets and objects."""

    def __init__(self, disk: Disk, clock: Clock) -> None:
        self._disk = disk
        self._clock = clock
        self._locks: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()
        self._last_generation = 0
        self.buckets: dict[str, Bucket] = {}
        self._load()

    def writer(self) -> ContentWriter:
        """A new content in the making."""
        return ContentWriter(self._disk.contents)

    def open(self, content: Content) -> BinaryIO:
        """A content for reading; it stays readable when its object is replaced meanwhile."""
        return (self._disk.contents / content.file).open("rb")

    def copy(self, content: Content) -> Content:
        """The same bytes for another object."""
        # Not in a thread: a link takes no time, and the content could be removed before it is made.
        return replace(content, file=self._disk.link_content(content))

    def bucket(self, name: str) -> Bucket:
        """The bucket; raises when there is none."""
        if name not in self.buckets:
            raise StorageError(Reason.NO_BUCKET, f"The specified bucket does not exist: {name}.")
        return self.buckets[name]

    def object(self, bucket: str, name: str, generation: str | None = None) -> ObjectRecord:
        """The object; raises when there is none, or not of that generation."""
        record = self.bucket(bucket).objects.get(name)
        if record is None or generation not in (None, "", str(record.generation)):
            raise StorageError(Reason.NO_OBJECT, f"No such object: {bucket}/{name}")
        return record

    async def put_bucket(self, name: str, attributes: dict[str, Any]) -> Bucket:
        """Create a bucket; raises when it exists."""
        async with self._lock(name):
            if name in self.buckets:
                message = "Your previous request to create the named bucket succeeded and you already own it."
                raise StorageError(Reason.BUCKET_EXISTS, message)
            now = self._clock()
            bucket = Bucket(name, now, now, attributes=attributes)
            await asyncio.to_thread(self._disk.write_bucket, name, bucket.as_stored())
            self.buckets[name] = bucket
            return bucket

    async def change_bucket(
        self, name: str, change: Callable[[dict[str, Any]], dict[str, Any]], conditions: Preconditions
    ) -> Bucket:
        """Replace a bucket's attributes by what ``change`` makes of them."""
        async with self._lock(name):
            bucket = self.bucket(name)
            conditions.check(bucket)
            bucket.attributes = change(bucket.attributes)
            bucket.metageneration += 1
            bucket.updated = self._clock()
            await asyncio.to_thread(self._disk.write_bucket, name, bucket.as_stored())
            return bucket

    async def delete_bucket(self, name: str, conditions: Preconditions) -> None:
        """Remove a bucket; raises when it holds objects or is about to."""
        async with self._lock(name):
            bucket = self.bucket(name)
            conditions.check(bucket)
            if bucket.objects or bucket.changes:
                raise StorageError(Reason.BUCKET_NOT_EMPTY, "The bucket you tried to delete is not empty.")
            del self.buckets[name]
            await asyncio.to_thread(self._disk.remove_bucket, name)

    async def put_object(
        self,
        bucket_name: str,
        name: str,
        content: Content,
        attributes: dict[str, Any],
        conditions: Preconditions,
        components: int | None = None,
    ) -> ObjectRecord:
        """Make the content the object's new generation; without success the content is removed."""
        try:
            async with self._changing(bucket_name, name) as bucket:
                old = bucket.objects.get(name)
                conditions.check(old)
                now = self._clock()
                record = ObjectRecord(
                    bucket_name, name, self._generation(now), 1, content, now, now, attributes, components
                )
                await asyncio.to_thread(self._disk.write_object, record)
                bucket.keep(record)
        except StorageError:
            self._disk.remove_content(content)
            raise
        if old is not None:
            await asyncio.to_thread(self._disk.remove_content, old.content)
        return record

    async def change_object(
        self,
        current: ObjectRecord,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        conditions: Preconditions,
    ) -> ObjectRecord:
        """Replace an object's attributes by what ``change`` makes of them."""
        async with self._changing(current.bucket, current.name) as bucket:
            record = self.object(current.bucket, current.name)
            conditions.check(record)
            record = record.with_attributes(change(record.attributes), self._clock())
            await asyncio.to_thread(self._disk.write_object, record)
            bucket.keep(record)
            return record

    async def delete_object(
        self, bucket_name: str, name: str, generation: str | None, conditions: Preconditions
    ) -> None:
        """Remove an object."""
        async with self._changing(bucket_name, name) as bucket:
            record = self.object(bucket_name, name, generation)
            conditions.check(record)
            await asyncio.to_thread(self._disk.remove_object, record)
            bucket.drop(name)
        await asyncio.to_thread(self._disk.remove_content, record.content)

    def _lock(self, *key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    @asynccontextmanager
    async def _changing(self, bucket_name: str, name: str) -> AsyncIterator[Bucket]:
        """The bucket, with the lock of one name held; it cannot be deleted meanwhile."""
        async with self._lock(bucket_name, name):
            bucket = self.bucket(bucket_name)
            bucket.changes += 1
            try:
                yield bucket
            finally:
                bucket.changes -= 1

    def _generation(self, now: datetime) -> int:
        """Microseconds since the epoch, and always more than any before."""
        self._last_generation = max(self._last_generation + 1, int(now.timestamp() * 1_000_000))
        return self._last_generation

    def _load(self) -> None:
        for values, records in self._disk.read_buckets():
            times = {name: datetime.fromisoformat(values[name]) for name in ("created", "updated")}
            bucket = Bucket(**values | times)
            for record in records:
                bucket.keep(record)
            self.buckets[bucket.name] = bucket
        kept = [record for bucket in self.buckets.values() for record in bucket.objects.values()]
        self._last_generation = max((record.generation for record in kept), default=0)
        self._disk.remove_leftovers({record.content.file for record in kept})
