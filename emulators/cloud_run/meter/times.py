"""Which moment is meant? RFC 3339 on the outside, whole microseconds since 1970 within."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from emulators.cloud_run.meter.history import Stretch

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
FIRST = 0
LAST = 253_370_764_800_000_000
"""The first day of the year 9999: later than anything is billed."""


class BadTime(ValueError):
    """A time that is none, or two in the wrong order; `field` is the one to blame."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(micros_: int) -> datetime:
    """The time of day of microseconds since 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=micros_)


def text(micros_: int) -> str:
    """RFC 3339 with microseconds and a Z."""
    return f"{moment(micros_).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def window(start: str | None, end: str | None) -> Stretch:
    """The time from `from` to `to`; without them all there is. BadTime names the field that is wrong."""
    found = _parse("from", start, FIRST), _parse("to", end, LAST)
    if found[0] > found[1]:
        raise BadTime("to", "'to' is before 'from'.")
    return found


def _parse(field: str, value: str | None, default: int) -> int:
    if value is None:
        return default
    try:
        if _RFC3339.fullmatch(value):
            return min(LAST, max(FIRST, micros(datetime.fromisoformat(value.upper()))))
    except (ValueError, OverflowError):
        pass
    message = f"'{value}' is no RFC 3339 time with a zone, such as 2026-10-09T12:00:00Z."
    raise BadTime(field, message)
