"""Which moment is meant? RFC 3339 on the outside, whole microseconds since 1970 within."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from emulators.cloud_run.meter.history import Stretch
from emulators.errors import ApiError, Code

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_FIRST = 0
_LAST = 253_370_764_800_000_000
"""The first day of the year 9999: later than anything is billed."""


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(micros_: int) -> datetime:
    """The time of day of microseconds since 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=micros_)


def text(micros_: int) -> str:
    """RFC 3339 with microseconds and a Z."""
    return moment(micros_).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def window(start: str | None, end: str | None) -> Stretch:
    """The time from `from` to `to`; without them all there is. INVALID_ARGUMENT names the field that is wrong."""
    found = _parse("from", start, _FIRST), _parse("to", end, _LAST)
    if found[0] > found[1]:
        raise ApiError(Code.INVALID_ARGUMENT, "'to' is before 'from'.", "to")
    return found


def _parse(field: str, value: str | None, default: int) -> int:
    if value is None:
        return default
    try:
        if _RFC3339.fullmatch(value):
            return min(_LAST, max(_FIRST, micros(datetime.fromisoformat(value.upper()))))
    except (ValueError, OverflowError):
        pass
    message = f"'{value}' is no RFC 3339 time with a zone, such as 2026-10-09T12:00:00Z."
    raise ApiError(Code.INVALID_ARGUMENT, message, field)
