"""What is known of a bucket and an object?  Values only; they change by being replaced."""

from base64 import b64encode
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

from emulators.cloud_storage.failures import Reason, StorageError

OBJECT_ATTRIBUTES = frozenset(
    {
        "cacheControl",
        "contentDisposition",
        "contentEncoding",
        "contentLanguage",
        "contentType",
        "customTime",
        "metadata",
        "storageClass",
    }
)
"""The fields of an object that its writers choose."""

_HOLDS = ("temporaryHold", "eventBasedHold", "retention")


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes on disk that never change."""

    file: str
    size: int
    crc32c: str
    """Base64, as in the APIs."""
    md5: str | None
    """Base64; composed objects have none."""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One generation of an object."""

    bucket: str
    name: str
    generation: int
    metageneration: int
    content: Content
    created: datetime
    updated: datetime
    attributes: dict[str, Any] = field(default_factory=dict)
    components: int | None = None

    @property
    def etag(self) -> str:
        """A name for this generation and metageneration."""
        return b64encode(f"{self.generation}/{self.metageneration}".encode()).decode()

    def with_attributes(self, attributes: dict[str, Any], now: datetime) -> Self:
        """The record after its attributes were changed."""
        return replace(self, attributes=attributes, updated=now, metageneration=self.metageneration + 1)

    def as_stored(self) -> dict[str, Any]:
        """The record as JSON values."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        content = {item.name: getattr(self.content, item.name) for item in fields(self.content)}
        times = {"created": self.created.isoformat(), "updated": self.updated.isoformat()}
        return values | {"content": content} | times

    @classmethod
    def from_stored(cls, values: dict[str, Any]) -> Self:
        """The record that as_stored wrote."""
        times = {name: datetime.fromisoformat(values[name]) for name in ("created", "updated")}
        return cls(**values | times | {"content": Content(**values["content"])})


def object_attributes(resource: dict[str, Any]) -> dict[str, Any]:
    """The attributes that a client sent for an object; raises on what is wrong or unsupported."""
    for name in _HOLDS:
        if resource.get(name):
            raise StorageError(Reason.UNSUPPORTED, f"This emulator has no {name}.")
    attributes = {
        name: value
        for name, value in resource.items()
        if name in OBJECT_ATTRIBUTES and value is not None and value != {}
    }
    for name, value in attributes.items():
        _check_attribute(name, value)
    return attributes


def merge_attributes(current: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The attributes after a JSON merge patch: null removes, custom metadata is merged by key."""
    merged = current | {name: value for name, value in patch.items() if name != "metadata"}
    if "metadata" in patch:
        merged["metadata"] = _merge_metadata(current.get("metadata", {}), patch["metadata"])
    return object_attributes(merged)


def _merge_metadata(current: dict[str, str], patch: object) -> object:
    if not isinstance(patch, dict):
        return patch
    return {name: value for name, value in (current | patch).items() if value is not None}


def _check_attribute(name: str, value: object) -> None:
    if name != "metadata":
        if not isinstance(value, str) or not is_header_safe(value):
            raise StorageError(Reason.INVALID, f"Invalid {name}: {value!r}.")
        return
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise StorageError(Reason.INVALID, "Custom metadata must map names to strings.")


def is_header_safe(text: str) -> bool:
    """Whether the text can be the value of a response header."""
    return text.isascii() and text.isprintable()
