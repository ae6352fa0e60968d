"""What was tried lately?  The newest attempts, as Cloud Logging would have them; not part of Google's API."""

from collections import deque
from datetime import datetime
from typing import Any

from emulators.cloud_scheduler.delivery import Outcome, rfc3339

_KEPT = 1000


class AttemptLog:
    """The newest attempts of all jobs, oldest first; a restart forgets them."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def add(
        self, job: str, schedule_time: datetime, number: int, started: datetime, outcome: Outcome
    ) -> None:
        """Note an attempt that is over; `number` counts those of its run, from 1."""
        self._entries.append(
            {
                "job": job,
                "scheduleTime": rfc3339(schedule_time),
                "attempt": number,
                "startTime": rfc3339(started),
                "httpStatus": outcome.http_status,
                "code": outcome.code,
                "message": outcome.message,
            }
        )

    def of(self, job: str = "") -> list[dict[str, Any]]:
        """All of them, or those of one job."""
        return [entry for entry in self._entries if job in ("", entry["job"])]
