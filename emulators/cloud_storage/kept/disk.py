"""What survives?  The files of the emulator: contents, and one JSON record for each object and bucket.

A record is renamed into place after its content is durable; a content that no record names is removed at the
next start.  So a crash leaves the old object or the new one.  File names are hashes and random numbers, never
names that a client chose.
"""

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulators import durable
from emulators.cloud_storage.kept.records import Content, ObjectRecord

_GONE = ".gone"


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
        replace_durably(path / "bucket.json", values)
        durable.sync_directory(self._buckets)

    def remove_bucket(self, name: str) -> None:
        """Forget a bucket with the records in it, all at once."""
        gone = self._bucket(name).rename(self._buckets / f"{uuid4().hex}{_GONE}")
        durable.sync_directory(self._buckets)
        shutil.rmtree(gone)

    def write_object(self, record: ObjectRecord) -> None:
        """Make the record of a version durable, and the entry of its content."""
        durable.sync_directory(self.contents)
        replace_durably(self._object(record), record.as_stored())

    def replace_object(self, record: ObjectRecord, kept: ObjectRecord | None) -> None:
        """Make a record the live one; what is kept of the one before is durable first."""
        if kept is not None:
            replace_durably(self._object(kept), kept.as_stored())
        self.write_object(record)

    def retire_object(self, record: ObjectRecord, kept: ObjectRecord | None) -> None:
        """Put what is kept of a version in its place, or forget it."""
        if kept is not None:
            replace_durably(self._object(kept), kept.as_stored())
        if kept is None or self._object(kept) != self._object(record):
            self.remove_object(record)

    def remove_object(self, record: ObjectRecord) -> None:
        """Forget a version."""
        path = self._object(record)
        path.unlink()
        durable.sync_directory(path.parent)

    def remove_content(self, content: Content) -> None:
        """Free the bytes; who reads them now can read on."""
        (self.contents / content.file).unlink(missing_ok=True)

    def link_content(self, content: Content) -> str:
        """A second file of the same bytes, without copying them."""
        name = uuid4().hex
        (self.contents / name).hardlink_to(self.contents / content.file)
        return name

    def read_buckets(self) -> Iterator[tuple[dict[str, Any], list[ObjectRecord]]]:
        """Every bucket with all versions in it."""
        for path in self._buckets.glob("*/bucket.json"):
            if path.parent.suffix != _GONE:
                files = (path.parent / "objects").glob("*.json")
                yield _read(path), self._settled([ObjectRecord.from_stored(_read(file)) for file in files])

    def remove_leftovers(self, kept: set[str]) -> None:
        """Remove contents that no record names, and records that were never finished."""
        for path in self.contents.iterdir():
            if path.name not in kept:
                path.unlink()
        for path in self._buckets.rglob("*.partial"):
            path.unlink()
        for path in self._buckets.glob(f"*{_GONE}"):
            shutil.rmtree(path)

    def _settled(self, records: list[ObjectRecord]) -> list[ObjectRecord]:
        """The records without those that a crash left over, so that a content has one record.

        A version that was about to be retired is still live; one that was moved has its later name.
        """
        owners: dict[str, ObjectRecord] = {}
        for record in sorted(records, key=lambda record: (record.generation, record.is_live)):
            if (left_over := owners.get(record.content.file)) is not None:
                self._object(left_over).unlink()
            owners[record.content.file] = record
        return list(owners.values())

    def _bucket(self, name: str) -> Path:
        return self._buckets / _file_name(name)

    def _object(self, record: ObjectRecord) -> Path:
        version = "" if record.is_live else f".{record.generation}"
        return self._bucket(record.bucket) / "objects" / f"{_file_name(record.name)}{version}.json"


def _file_name(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_bytes())
    return values


def replace_durably(path: Path, values: dict[str, Any]) -> None:
    """Write a record whole or not at all, and durably."""
    durable.replace(path, json.dumps(values).encode(), f".{uuid4().hex}.partial")
