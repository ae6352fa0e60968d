"""What may be set on a bucket?  Its settings, checked; what this emulator would have to ignore is refused by name."""

import re
from datetime import datetime
from typing import Any

from emulators.cloud_storage.cross_origin import check_cors
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.buckets import DEFAULT_LOCATION
from emulators.cloud_storage.kept.records import check_storage_class
from emulators.cloud_storage.lifecycle.rules import parse_rules
from emulators.cloud_storage.requests import number, section

_ATTRIBUTES = frozenset(
    {
        "cors",
        "iamConfiguration",
        "labels",
        "lifecycle",
        "location",
        "softDeletePolicy",
        "storageClass",
        "versioning",
        "website",
    }
)
_SETTLED = ("location", "softDeletePolicy", "storageClass")
"""What stays as it is when an update says nothing of it."""
_UNSUPPORTED = (
    "acl",
    "billing",
    "customPlacementConfig",
    "defaultEventBasedHold",
    "defaultObjectAcl",
    "encryption",
    "ipFilter",
    "logging",
    "objectRetention",
    "retentionPolicy",
    "rpo",
)
_SWITCHES = ("autoclass", "hierarchicalNamespace")

_DAY = 86_400
_DEFAULT_SOFT_DELETE = {"retentionDurationSeconds": str(7 * _DAY)}
_LABEL = re.compile(r"[\w-]{0,63}")
_MOST_LABELS = 64


def new_attributes(resource: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The attributes of a bucket that is created; soft delete for seven days unless it says otherwise."""
    policy = section(resource, "softDeletePolicy") or _DEFAULT_SOFT_DELETE
    return _checked(resource | {"softDeletePolicy": _effective(policy, now)})


def replaced_attributes(old: dict[str, Any], resource: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The attributes after an update, which names all of them."""
    settled = {name: old[name] for name in _SETTLED if name in old}
    return _changed(old, settled | resource, now)


def merged_attributes(old: dict[str, Any], change: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The attributes after a patch: null removes one, labels are merged by key."""
    merged = old | change
    if change.get("labels") is not None:
        labels = section(old, "labels") | section(change, "labels")
        merged["labels"] = {name: value for name, value in labels.items() if value is not None}
    return _changed(old, merged, now)


def _changed(old: dict[str, Any], new: dict[str, Any], now: datetime) -> dict[str, Any]:
    if _location(new) != _location(old):
        raise StorageError(Reason.INVALID, "The location of a bucket cannot be changed.")
    if _soft_delete_seconds(new) != _soft_delete_seconds(old):
        new = new | {"softDeletePolicy": _effective(section(new, "softDeletePolicy"), now)}
    return _checked(new)


def _location(attributes: dict[str, Any]) -> str:
    return str(attributes.get("location") or DEFAULT_LOCATION).upper()


def _soft_delete_seconds(attributes: dict[str, Any]) -> int:
    return number(section(attributes, "softDeletePolicy"), "retentionDurationSeconds") or 0


def _effective(policy: dict[str, Any], now: datetime) -> dict[str, Any]:
    seconds = number(policy, "retentionDurationSeconds") or 0
    if seconds and not 7 * _DAY <= seconds <= 90 * _DAY:
        message = (
            "Soft delete policy retention duration must be 0 or from 7 to 90 days (604800 to 7776000 s)."
        )
        raise StorageError(Reason.INVALID, message)
    effective = {"effectiveTime": now.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    return {"retentionDurationSeconds": str(seconds)} | (effective if seconds else {})


def _checked(resource: dict[str, Any]) -> dict[str, Any]:
    for name in _UNSUPPORTED:
        if resource.get(name):
            raise StorageError(Reason.UNSUPPORTED, f"This emulator does not support a bucket's {name}.")
    for name in _SWITCHES:
        if section(resource, name).get("enabled"):
            raise StorageError(Reason.UNSUPPORTED, f"This emulator does not support a bucket's {name}.")
    attributes = {
        name: value for name, value in resource.items() if name in _ATTRIBUTES and value not in (None, {})
    }
    if "location" in attributes:
        attributes["location"] = _location(attributes)
    check_cors(attributes.get("cors", []))
    _check_labels(section(attributes, "labels"))
    check_storage_class(attributes.get("storageClass", "STANDARD"))
    if not isinstance(section(attributes, "versioning").get("enabled", False), bool):
        raise StorageError(Reason.INVALID, "Invalid value for versioning.enabled: it must be true or false.")
    parse_rules(section(attributes, "lifecycle"))
    return attributes


def _check_labels(labels: dict[str, Any]) -> None:
    if len(labels) > _MOST_LABELS:
        raise StorageError(Reason.INVALID, f"A bucket has at most {_MOST_LABELS} labels.")
    for key, value in labels.items():
        if not _is_label(key) or not _is_label(value) or not key[:1].isalpha():
            message = f"Invalid label {key!r}: {value!r}. Lower-case letters, digits, _ and -, at most 63."
            raise StorageError(Reason.INVALID, message)


def _is_label(text: object) -> bool:
    return isinstance(text, str) and text == text.lower() and _LABEL.fullmatch(text) is not None
