"""A clock that stands still until it is told otherwise."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""A Monday morning, far from midnight and the end of a month."""


class FakeClock:
    """Sleeping moves it, and nobody waits."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time that was set."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> datetime:
        """Let time pass; returns the new time."""
        assert by >= timedelta(0), "time does not run backwards"
        self._now += by
        return self._now

    def set(self, to: datetime) -> None:
        """Go to a later time."""
        self.advance(to - self._now)
