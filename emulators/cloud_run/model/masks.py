"""What does an update mask change? Each path replaces one field; a masked but absent field takes its default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emulators.cloud_run.model.errors import invalid
from emulators.cloud_run.model.messages import ServiceMessage
from emulators.errors import ApiError

# What only the server writes; a mask or a body that names it is ignored, as AIP-203 asks.
OUTPUT_ONLY = frozenset(
    {
        *("name", "uid", "generation", "create_time", "update_time", "delete_time", "expire_time"),
        *("creator", "last_modifier", "observed_generation", "terminal_condition", "conditions"),
        *("latest_ready_revision", "latest_created_revision", "traffic_statuses", "uri", "urls"),
        *("satisfies_pzs", "reconciling", "etag"),
    }
)


def apply_mask(target: ServiceMessage, source: ServiceMessage, paths: Iterable[str]) -> None:
    """Copy the named fields from `source` to `target`; a bad path is INVALID_ARGUMENT."""
    for path in paths:
        parts = path.split(".")
        _check(target.DESCRIPTOR, parts, path)
        if parts[0] not in OUTPUT_ONLY:
            _apply(target, source, parts)


def replace(target: ServiceMessage, source: ServiceMessage) -> None:
    """Copy every field that a caller may write: an update without a mask."""
    for field in target.DESCRIPTOR.fields:
        if field.name not in OUTPUT_ONLY:
            _copy_field(target, source, field)


def _check(descriptor: Any, parts: list[str], path: str) -> None:
    field = descriptor.fields_by_name.get(parts[0])
    if field is None:
        raise _bad(path, f"there is no field '{parts[0]}' in {descriptor.name}")
    if len(parts) == 1:
        return
    if field.is_repeated:
        raise _bad(path, f"'{parts[0]}' is a list or a map and can only be replaced as a whole")
    if field.message_type is None:
        raise _bad(path, f"'{parts[0]}' has no fields")
    _check(field.message_type, parts[1:], path)


def _bad(path: str, why: str) -> ApiError:
    return invalid("update_mask", f"Invalid update mask path '{path}': {why}.")


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
