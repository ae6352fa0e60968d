"""What does a bucket hold?  Its settings, and every version of its objects: live, noncurrent and soft-deleted."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emulators.cloud_storage.kept.records import DEFAULT_CLASS, ObjectRecord

DEFAULT_LOCATION = "EUROPE-WEST1"

Key = tuple[str, int]
"""The name and the generation of a version: the order of every list."""


class Shelf:
    """Versions of objects, sorted by name and generation."""

    def __init__(self) -> None:
        self.records: dict[Key, ObjectRecord] = {}
        self.keys: list[Key] = []

    def put(self, record: ObjectRecord) -> None:
        """Add a version, or replace what was known of it."""
        if record.key not in self.records:
            insort(self.keys, record.key)
        self.records[record.key] = record

    def drop(self, key: Key) -> None:
        """Take a version out, if it is there."""
        if self.records.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def newer(self, key: Key) -> int:
        """How many versions of the same name came later."""
        name, _ = key
        return bisect_left(self.keys, (f"{name}\0", 0)) - bisect_left(self.keys, key) - 1


@dataclass(slots=True)
class Bucket:
    """A bucket and the objects in it."""

    name: str
    created: datetime
    updated: datetime
    metageneration: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, ObjectRecord] = field(default_factory=dict)
    """The live versions, by name."""
    live: Shelf = field(default_factory=Shelf)
    versions: Shelf = field(default_factory=Shelf)
    """Live and noncurrent ones."""
    soft_deleted: Shelf = field(default_factory=Shelf)
    changes: int = 0
    """How many changes of objects are under way."""
    revision: int = 0
    """Grows with every change of the bucket or of anything in it, as long as the emulator runs."""

    @property
    def generation(self) -> int:
        """Buckets have none."""
        return 0

    @property
    def etag(self) -> str:
        """A name for this metageneration."""
        return f"CA{self.metageneration}="

    @property
    def is_versioned(self) -> bool:
        """Whether what is replaced or deleted stays as a noncurrent version."""
        return bool(self.attributes.get("versioning", {}).get("enabled"))

    @property
    def soft_delete_seconds(self) -> int:
        """How long what was deleted can be restored."""
        return int(self.attributes.get("softDeletePolicy", {}).get("retentionDurationSeconds", 0))

    @property
    def storage_class(self) -> str:
        """The class of objects that come without one."""
        return str(self.attributes.get("storageClass", DEFAULT_CLASS))

    @property
    def location(self) -> str:
        """Where its objects are."""
        return str(self.attributes.get("location", DEFAULT_LOCATION))

    def keep(self, record: ObjectRecord) -> None:
        """Put a version where its state belongs."""
        self.revision += 1
        if record.soft_deleted is not None:
            self.soft_deleted.put(record)
            return
        self.versions.put(record)
        if record.noncurrent_since is None:
            self.live.put(record)
            self.objects[record.name] = record

    def drop(self, record: ObjectRecord) -> None:
        """Forget a version, whatever its state."""
        self.revision += 1
        for shelf in (self.live, self.versions, self.soft_deleted):
            shelf.drop(record.key)
        if record.is_live:
            del self.objects[record.name]

    def changed(self, attributes: dict[str, Any], now: datetime) -> "Bucket":
        """How the bucket itself would be with other attributes; without its objects."""
        return Bucket(self.name, self.created, now, self.metageneration + 1, attributes)

    def settle(self, changed: "Bucket") -> None:
        """Take over what has become durable."""
        self.attributes, self.updated = changed.attributes, changed.updated
        self.metageneration = changed.metageneration
        self.revision += 1

    def as_stored(self) -> dict[str, Any]:
        """The bucket's record, as JSON values."""
        return {
            "name": self.name,
            "created": self.created.isoformat(),
            "updated": self.updated.isoformat(),
            "metageneration": self.metageneration,
            "attributes": self.attributes,
        }
