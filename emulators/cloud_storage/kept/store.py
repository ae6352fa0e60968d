"""Which buckets and objects are there now?  The index in memory, over the files on disk.

A change holds the lock of its name from the check of its preconditions to its commit, so one of many racing
changes wins.  Disk work runs in threads; the index itself is touched on the event loop only.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO
from weakref import WeakValueDictionary

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.buckets import Bucket
from emulators.cloud_storage.kept.content import ContentWriter
from emulators.cloud_storage.kept.disk import Disk
from emulators.cloud_storage.kept.names import is_number
from emulators.cloud_storage.kept.preconditions import Preconditions
from emulators.cloud_storage.kept.records import Content, ObjectRecord
from emulators.cloud_storage.kept.versions import after_deleting, after_replacing, check_not_held

Change = Callable[[dict[str, Any]], dict[str, Any]]
"""What makes new attributes of the old ones; raises for what cannot be."""


class Store:
    """All buckets and objects."""

    def __init__(self, disk: Disk, now: Callable[[], datetime]) -> None:
        self._disk = disk
        self.now = now
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
        """The live version, or the live or noncurrent one of that generation; raises when there is none."""
        held = self.bucket(bucket)
        record = held.objects.get(name)
        if generation:
            record = held.versions.records.get((name, _generation(generation)))
        if record is None:
            raise StorageError(Reason.NO_OBJECT, f"No such object: {bucket}/{name}")
        return record

    def soft_deleted(self, bucket: str, name: str, generation: str | None) -> ObjectRecord:
        """The soft-deleted version of that generation; raises when there is none, or no longer."""
        if not generation:
            message = "Required parameter: generation. A soft-deleted object is named by it."
            raise StorageError(Reason.REQUIRED, message)
        record = self.bucket(bucket).soft_deleted.records.get((name, _generation(generation)))
        if record is None or (record.hard_delete is not None and record.hard_delete <= self.now()):
            raise StorageError(Reason.NO_OBJECT, f"No such soft-deleted object: {bucket}/{name}#{generation}")
        return record

    async def put_bucket(self, name: str, attributes: dict[str, Any]) -> Bucket:
        """Create a bucket; raises when it exists."""
        async with self._lock(name):
            if name in self.buckets:
                message = "Your previous request to create the named bucket succeeded and you already own it."
                raise StorageError(Reason.BUCKET_EXISTS, message)
            now = self.now()
            bucket = Bucket(name, now, now, attributes=attributes)
            await asyncio.to_thread(self._disk.write_bucket, name, bucket.as_stored())
            self.buckets[name] = bucket
            return bucket

    async def change_bucket(self, name: str, change: Change, conditions: Preconditions) -> Bucket:
        """Replace a bucket's attributes by what ``change`` makes of them."""
        async with self._lock(name):
            bucket = self.bucket(name)
            conditions.check(bucket)
            changed = bucket.changed(change(bucket.attributes), self.now())
            await asyncio.to_thread(self._disk.write_bucket, name, changed.as_stored())
            # Its objects are the same ones: only what is told of the bucket itself takes the place of the old.
            bucket.settle(changed)
            return bucket

    async def delete_bucket(self, name: str, conditions: Preconditions) -> None:
        """Remove a bucket, soft-deleted objects and all; raises when it holds other objects or is about to."""
        async with self._lock(name):
            bucket = self.bucket(name)
            conditions.check(bucket)
            if bucket.versions.keys or bucket.changes:
                raise StorageError(Reason.BUCKET_NOT_EMPTY, "The bucket you tried to delete is not empty.")
            del self.buckets[name]
            await asyncio.to_thread(self._disk.remove_bucket, name)
        for record in bucket.soft_deleted.records.values():
            await asyncio.to_thread(self._disk.remove_content, record.content)

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
                return await self._put(bucket, name, content, attributes, conditions, components)
        except StorageError:
            self._disk.remove_content(content)
            raise

    async def restore_object(
        self, bucket_name: str, name: str, generation: str | None, conditions: Preconditions
    ) -> ObjectRecord:
        """Make a copy of a soft-deleted version the live one; the version itself stays as it is."""
        old = self.soft_deleted(bucket_name, name, generation)
        content, attributes = self.copy(old.content), old.attributes
        return await self.put_object(bucket_name, name, content, attributes, conditions, old.components)

    async def move_object(
        self, source: ObjectRecord, name: str, source_conditions: Preconditions, conditions: Preconditions
    ) -> ObjectRecord:
        """Give a live object another name; no soft-deleted version stays of it."""
        async with self._changing(source.bucket, source.name, name) as bucket:
            # It may have been replaced while this waited for its turn.
            source = self.object(source.bucket, source.name)
            source_conditions.check(source)
            check_not_held(source)
            content, attributes = source.content, source.attributes
            record = await self._put(bucket, name, content, attributes, conditions, source.components)
            await asyncio.to_thread(self._disk.remove_object, source)
            bucket.drop(source)
            return record

    async def change_object(
        self, bucket_name: str, name: str, generation: str | None, change: Change, conditions: Preconditions
    ) -> ObjectRecord:
        """Replace the attributes of a version by what ``change`` makes of them."""
        async with self._changing(bucket_name, name) as bucket:
            record = self.object(bucket_name, name, generation)
            conditions.check(record)
            record = record.with_attributes(change(record.attributes), self.now())
            await asyncio.to_thread(self._disk.write_object, record)
            bucket.keep(record)
            return record

    async def delete_object(
        self, bucket_name: str, name: str, generation: str | None, conditions: Preconditions
    ) -> None:
        """Remove an object: to become noncurrent if the bucket is versioned and no generation is named."""
        async with self._changing(bucket_name, name) as bucket:
            record = self.object(bucket_name, name, generation)
            conditions.check(record)
            check_not_held(record)
            becomes = after_deleting if generation else after_replacing
            kept = becomes(record, bucket, self.now())
            await asyncio.to_thread(self._disk.retire_object, record, kept)
            bucket.drop(record)
            await self._keep_or_free(bucket, record, kept)

    async def purge(self, bucket: Bucket) -> int:
        """Free the soft-deleted versions whose time is over; how many they were."""
        now = self.now()
        records = list(bucket.soft_deleted.records.values())
        over = [record for record in records if record.hard_delete is not None and record.hard_delete <= now]
        for record in over:
            async with self._changing(bucket.name, record.name):
                if record.key in bucket.soft_deleted.records:
                    bucket.drop(record)
                    await asyncio.to_thread(self._disk.remove_object, record)
                    await asyncio.to_thread(self._disk.remove_content, record.content)
        return len(over)

    async def _put(
        self,
        bucket: Bucket,
        name: str,
        content: Content,
        attributes: dict[str, Any],
        conditions: Preconditions,
        components: int | None,
    ) -> ObjectRecord:
        old = bucket.objects.get(name)
        conditions.check(old)
        if old is not None:
            check_not_held(old)
        now, attributes = self.now(), {"storageClass": bucket.storage_class} | attributes
        generation = self._next_generation(now)
        record = ObjectRecord(
            bucket.name, name, generation, 1, content, now, now, attributes, components, class_changed=now
        )
        kept = after_replacing(old, bucket, now) if old is not None else None
        await asyncio.to_thread(self._disk.replace_object, record, kept)
        if old is not None:
            bucket.drop(old)
        bucket.keep(record)
        if old is not None:
            await self._keep_or_free(bucket, old, kept)
        return record

    async def _keep_or_free(self, bucket: Bucket, record: ObjectRecord, kept: ObjectRecord | None) -> None:
        if kept is not None:
            bucket.keep(kept)
        else:
            await asyncio.to_thread(self._disk.remove_content, record.content)

    def _lock(self, *key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    @asynccontextmanager
    async def _changing(self, bucket_name: str, *names: str) -> AsyncIterator[Bucket]:
        """The bucket, with the locks of the names held; it cannot be deleted meanwhile."""
        async with AsyncExitStack() as locks:
            for name in sorted(set(names)):
                await locks.enter_async_context(self._lock(bucket_name, name))
            bucket = self.bucket(bucket_name)
            bucket.changes += 1
            try:
                yield bucket
            finally:
                bucket.changes -= 1

    def _next_generation(self, now: datetime) -> int:
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
        kept = [
            record
            for bucket in self.buckets.values()
            for shelf in (bucket.versions, bucket.soft_deleted)
            for record in shelf.records.values()
        ]
        self._last_generation = max((record.generation for record in kept), default=0)
        self._disk.remove_leftovers({record.content.file for record in kept})


def _generation(text: str) -> int:
    if not is_number(text):
        raise StorageError(Reason.INVALID, f"Invalid value for generation: {text!r}.")
    return int(text)
