"""Is a failed run tried again, and after which wait?  What `RetryConfig` says, told how it went so far."""

from datetime import timedelta
from typing import Any

_NONE = timedelta()
_MOST_DOUBLINGS = 40
"""More would outgrow any wait that can be asked for."""


def next_wait(config: Any, failures: int, elapsed: timedelta) -> timedelta | None:
    """How long to wait after so many failed attempts (1 or more), the first of which began `elapsed` ago.

    None: no further attempt.  A limit in time and one in number both have to be reached.
    """
    wait = _backoff(config, failures)
    limit = config.max_retry_duration.ToTimedelta()
    by_number = failures <= config.retry_count
    by_time = limit > _NONE and elapsed + wait <= limit
    return wait if by_number or by_time else None


def _backoff(config: Any, failures: int) -> timedelta:
    """Doubled a few times, then grown evenly, up to the longest."""
    doublings = min(failures - 1, config.max_doublings, _MOST_DOUBLINGS)
    factor = (1 << doublings) * (1 + max(0, failures - 1 - doublings))
    longest: timedelta = config.max_backoff_duration.ToTimedelta()
    shortest: timedelta = config.min_backoff_duration.ToTimedelta()
    if shortest == _NONE:
        return shortest
    # Divided, not multiplied: the product may be more than a timedelta holds.
    return longest if longest / shortest <= factor else shortest * factor
