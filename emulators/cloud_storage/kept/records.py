"""What is known of an object?  Values only; they change by being replaced."""

from base64 import b64encode
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

from emulators.cloud_storage.failures import Reason, StorageError

DEFAULT_CLASS = "STANDARD"
STORAGE_CLASSES = (DEFAULT_CLASS, "NEARLINE", "COLDLINE", "ARCHIVE")
"""From the dearest at rest to the cheapest."""
_LEGACY_CLASSES = ("MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY")

HOLDS = ("temporaryHold", "eventBasedHold")
_TEXTS = (
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "customTime",
    "storageClass",
)
OBJECT_ATTRIBUTES = frozenset({*_TEXTS, *HOLDS, "metadata"})
"""The fields of an object that its writers choose."""
_UNSUPPORTED = ("acl", "contexts", "customerEncryption", "kmsKeyName", "retention")

_MOST_METADATA = 8192

_TIMES = ("created", "updated", "noncurrent_since", "soft_deleted", "hard_delete", "class_changed")


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
    noncurrent_since: datetime | None = None
    soft_deleted: datetime | None = None
    hard_delete: datetime | None = None
    """When a soft-deleted version goes for good."""
    class_changed: datetime | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other version in its bucket."""
        return self.name, self.generation

    @property
    def etag(self) -> str:
        """A name for this generation and metageneration."""
        return b64encode(f"{self.generation}/{self.metageneration}".encode()).decode()

    @property
    def is_live(self) -> bool:
        """Whether it is what its name alone stands for."""
        return self.noncurrent_since is None and self.soft_deleted is None

    @property
    def storage_class(self) -> str:
        """The class it is stored in."""
        return str(self.attributes.get("storageClass", DEFAULT_CLASS))

    def with_attributes(self, attributes: dict[str, Any], now: datetime) -> Self:
        """The record after its attributes were changed."""
        changed = replace(self, attributes=attributes, updated=now, metageneration=self.metageneration + 1)
        if changed.storage_class == self.storage_class:
            return changed
        return replace(changed, class_changed=now)

    def as_stored(self) -> dict[str, Any]:
        """The record as JSON values."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        content = {item.name: getattr(self.content, item.name) for item in fields(self.content)}
        times = {name: values[name].isoformat() for name in _TIMES if values[name] is not None}
        return values | {"content": content} | times

    @classmethod
    def from_stored(cls, values: dict[str, Any]) -> Self:
        """The record that as_stored wrote."""
        times = {name: datetime.fromisoformat(values[name]) for name in _TIMES if values.get(name)}
        return cls(**values | times | {"content": Content(**values["content"])})


def object_attributes(resource: dict[str, Any]) -> dict[str, Any]:
    """The attributes that a client sent for an object; raises on what is wrong or unsupported."""
    for name in _UNSUPPORTED:
        if resource.get(name):
            raise StorageError(Reason.UNSUPPORTED, f"This emulator does not support an object's {name}.")
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
    return replace_attributes(current, merged)


def replace_attributes(current: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    """The attributes that take the place of the current ones; raises for what cannot be changed in place."""
    attributes = object_attributes(resource)
    old_class = current.get("storageClass", DEFAULT_CLASS)
    if attributes.setdefault("storageClass", old_class) != old_class:
        message = "The storage class of an object is changed by rewriting it, not by an update."
        raise StorageError(Reason.INVALID, message)
    if "customTime" in current:
        _check_custom_time(current["customTime"], attributes.get("customTime"))
    return attributes


def _check_custom_time(old: str, new: str | None) -> None:
    if new is None or moment(new) < moment(old):
        message = "Once it is set, customTime cannot be removed, nor set to an earlier time."
        raise StorageError(Reason.INVALID, message)


def _merge_metadata(current: dict[str, str], patch: object) -> object:
    if not isinstance(patch, dict):
        return patch
    return {name: value for name, value in (current | patch).items() if value is not None}


def _check_attribute(name: str, value: object) -> None:
    if name == "metadata":
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise StorageError(Reason.INVALID, "Custom metadata must map names to strings.")
        if sum(len(f"{key}{text}".encode()) for key, text in value.items()) > _MOST_METADATA:
            message = f"Custom metadata has more than {_MOST_METADATA} bytes in its names and values."
            raise StorageError(Reason.INVALID, message)
    elif name in HOLDS:
        if not isinstance(value, bool):
            raise StorageError(Reason.INVALID, f"Invalid {name}: {value!r}.")
    elif not isinstance(value, str) or not is_header_safe(value):
        raise StorageError(Reason.INVALID, f"Invalid {name}: {value!r}.")
    elif name == "storageClass":
        check_storage_class(value)
    elif name == "customTime":
        moment(value)


def check_storage_class(name: object) -> None:
    """Raise unless there is such a class."""
    if name not in STORAGE_CLASSES and name not in _LEGACY_CLASSES:
        raise StorageError(Reason.INVALID, f"Invalid storage class: {name!r}.")


def moment(text: str) -> datetime:
    """A time of RFC 3339; raises for anything else."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise StorageError(Reason.INVALID, f"Invalid time: {text!r}.") from error
    if time.tzinfo is None:
        raise StorageError(Reason.INVALID, f"Invalid time: {text!r} has no time zone.")
    return time


def is_header_safe(text: str) -> bool:
    """Whether the text can be the value of a response header."""
    return text.isascii() and text.isprintable()
