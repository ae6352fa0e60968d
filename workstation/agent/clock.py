"""How long has this instance really run? Thawed time: seconds in which the instance had a CPU.

Cloud Run freezes an instance between requests. The monotonic clock runs on meanwhile, so a gap between
two readings that is longer than the ticks of a running agent can explain holds a freeze, and counts as nothing.
"""

import time
from datetime import UTC, datetime

TICK_SECONDS = 1.0
LONGEST_THAWED_GAP = 2.0


def now() -> datetime:
    """Return the wall clock's time, aware and in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 with microseconds."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def monotonic() -> float:
    """Return the seconds of the clock that never goes back and does not stop in a freeze."""
    return time.monotonic()


class ThawedClock:
    """Sums up thawed seconds from readings of the monotonic clock."""

    def __init__(self, reading: float) -> None:
        self._last = reading
        self._thawed = 0.0

    def advance(self, reading: float) -> float:
        """Take a reading and return the thawed seconds so far."""
        gap = max(0.0, reading - self._last)
        self._last = max(self._last, reading)
        if gap <= LONGEST_THAWED_GAP:
            self._thawed += gap
        return self._thawed
