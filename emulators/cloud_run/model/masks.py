"""What does an update mask change? Each path replaces one field; a masked but absent field takes its default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emulators.cloud_run.model.messages import ServiceMessage
from emulators.cloud_run.model.violations import Violations

WHOLE = "*"
# What only the server writes; a mask or a body that names it is ignored, as AIP-203 asks.
OUTPUT_ONLY = frozenset(
    {
        *("name", "uid", "generation", "create_time", "update_time", "delete_time", "expire_time"),
        *("creator", "last_modifier", "observed_generation", "terminal_condition", "conditions"),
        *("latest_ready_revision", "latest_created_revision", "traffic_statuses", "uri", "urls"),
        *("satisfies_pzs", "threat_detection_enabled", "reconciling", "etag"),
    }
)


def check_mask(service: ServiceMessage, paths: Iterable[str]) -> None:
    """Refuse, all at once, the paths that lead nowhere, into a map or into a list."""
    found = Violations("UpdateServiceRequest")
    for path in paths:
        if path != WHOLE and (why := _obstacle(service.DESCRIPTOR, path.split("."))):
            found.add("update_mask", f"Invalid update mask path '{path}': {why}.")
    found.settle()


def apply_mask(target: ServiceMessage, source: ServiceMessage, paths: Iterable[str]) -> None:
    """Copy the named fields, which `check_mask` has seen, from `source` to `target`."""
    for path in paths:
        parts = path.split(".")
        if parts[0] not in OUTPUT_ONLY:
            _apply(target, source, parts)


def replace(target: ServiceMessage, source: ServiceMessage) -> None:
    """Copy every field that a caller may write: an update without a mask, or with `*`."""
    for field in target.DESCRIPTOR.fields:
        if field.name not in OUTPUT_ONLY:
            _copy_field(target, source, field)


def _obstacle(descriptor: Any, parts: list[str]) -> str:
    """Why a path cannot be followed; empty when it can."""
    field = descriptor.fields_by_name.get(parts[0])
    if field is None:
        return f"there is no field '{parts[0]}' in {descriptor.name}"
    if len(parts) == 1:
        return ""
    if field.is_repeated:
        return f"'{parts[0]}' is a list or a map and can only be replaced as a whole"
    if field.message_type is None:
        return f"'{parts[0]}' has no fields"
    return _obstacle(field.message_type, parts[1:])


def _apply(target: Any, source: Any, parts: list[str]) -> None:
    field = target.DESCRIPTOR.fields_by_name[parts[0]]
    if len(parts) == 1:
        _copy_field(target, source, field)
    elif target.HasField(field.name) or source.HasField(field.name):
        _apply(getattr(target, field.name), getattr(source, field.name), parts[1:])


def _copy_field(target: Any, source: Any, field: Any) -> None:
    target.ClearField(field.name)
    if field.is_repeated:
        getattr(target, field.name).MergeFrom(getattr(source, field.name))
    elif field.has_presence and not source.HasField(field.name):
        return
    elif field.message_type is not None:
        getattr(target, field.name).CopyFrom(getattr(source, field.name))
    else:
        setattr(target, field.name, getattr(source, field.name))
