"""Which fields does an update change?  Those of its mask, taken from the new job as they are there.

A field that the mask names and the new job lacks is cleared.  Output only fields stay as they are, named or not.
"""

from collections.abc import Iterable
from typing import Any

from emulators.errors import ApiError, Code

_OUTPUT_ONLY = ("name", "user_update_time", "state", "status", "schedule_time", "last_attempt_time")


def updated(job: Any, new: Any, paths: Iterable[str]) -> Any:
    """The job with those fields of the new one; without a path those that are set there. INVALID_ARGUMENT by path."""
    wanted = list(paths) or [field.name for field, _ in new.ListFields()]
    if "*" in wanted:
        wanted = [field.name for field in job.DESCRIPTOR.fields]
    result = type(job)()
    result.CopyFrom(job)
    if unknown := [path for path in wanted if not _exists(job.DESCRIPTOR, path.split("."))]:
        message = f"The job has no field {', '.join(unknown)}."
        raise ApiError(Code.INVALID_ARGUMENT, message, "update_mask")
    for path in wanted:
        if path.partition(".")[0] not in _OUTPUT_ONLY:
            _copy(result, new, path.split("."))
    return result


def _exists(descriptor: Any, path: list[str]) -> bool:
    field = descriptor.fields_by_name.get(path[0]) if descriptor is not None else None
    if field is None or len(path) == 1:
        return field is not None
    # Behind a map's or a list's name there is nothing to mask.
    return not field.is_repeated and _exists(field.message_type, path[1:])


def _copy(job: Any, new: Any, path: list[str]) -> None:
    first, *rest = path
    if rest:
        _copy(getattr(job, first), getattr(new, first), rest)
        return
    alone = type(new)()
    alone.CopyFrom(new)
    for field, _ in new.ListFields():
        if field.name != first:
            alone.ClearField(field.name)
    job.ClearField(first)
    job.MergeFrom(alone)
