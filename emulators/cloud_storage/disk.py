"""What survives?  The files of the emulator: contents, and one JSON record for each object and bucket.

A record is renamed into place after its content is durable; a content that no record names is removed at the
next start.  So a crash leaves the old object or the new one.  File names are hashes and random numbers, never
names that a client chose.
"""

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulators.cloud_storage.records import Content, ObjectRecord


class Disk:
    """The state directory."""

    def __init__(self, directory: Path) -> None:
        self.contents = directory / "contents"
        self._buckets = directory / "buckets"
        for path in (self.contents, self._buckets):
            path.mkdir(parents=True, exist_ok=True)

    def write_bucket(self, name: str, values: dict[str, Any]) -> None:
        """Make a bucket's record durable."""
        path = self._bucket(name)
        (path / "objects").mkdir(parents=True, exist_ok=True)
        _replace(path / "bucket.json", values)
        _sync_directory(self._buckets)

    def remove_bucket(self, name: str) -> None:
        """Forget an empty bucket."""
        path = self._bucket(name)
        (path / "bucket.json").unlink()
        _sync_directory(path)

    def write_object(self, record: ObjectRecord) -> None:
        """Make an object's record durable, and the entry of its content."""
        _sync_directory(self.contents)
        _replace(self._object(record.bucket, record.name), record.as_stored())

    def remove_object(self, record: ObjectRecord) -> None:
        """Forget an object."""
        path = self._object(record.bucket, record.name)
        path.unlink()
        _sync_directory(path.parent)

    def remove_content(self, content: Content) -> None:
        """Free the bytes; who reads them now can read on."""
        (self.contents / content.file).unlink(missing_ok=True)

    def link_content(self, content: Content) -> str:
        """A second file of the same bytes, without copying them."""
        name = uuid4().hex
        (self.contents / name).hardlink_to(self.contents / content.file)
        return name

    def read_buckets(self) -> Iterator[tuple[dict[str, Any], list[ObjectRecord]]]:
        """Every bucket with its objects."""
        for path in self._buckets.glob("*/bucket.json"):
            objects = (path.parent / "objects").glob("*.json")
            yield _read(path), [ObjectRecord.from_stored(_read(file)) for file in objects]

    def remove_leftovers(self, kept: set[str]) -> None:
        """Remove contents that no record names, and records that were never finished."""
        for path in self.contents.iterdir():
            if path.name not in kept:
                path.unlink()
        for path in self._buckets.rglob("*.partial"):
            path.unlink()

    def _bucket(self, name: str) -> Path:
        return self._buckets / _file_name(name)

    def _object(self, bucket: str, name: str) -> Path:
        return self._bucket(bucket) / "objects" / f"{_file_name(name)}.json"


def _file_name(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_bytes())
    return values


def _replace(path: Path, values: dict[str, Any]) -> None:
    """Write a record whole or not at all, and durably."""
    partial = path.with_suffix(f".{uuid4().hex}.partial")
    with partial.open("xb") as file:
        file.write(json.dumps(values).encode())
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
