"""What was expected, and was it seen? A story goes on only with what was observed."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.25


class NotObserved(Exception):
    """What was expected and not seen; `component` is whose log may say why."""

    def __init__(self, expected: str, seen: object, component: str) -> None:
        super().__init__(f"expected {expected}; saw {seen}")
        self.expected = expected
        self.seen = str(seen)
        self.component = component


def expect(truth: object, expected: str, seen: object, component: str) -> None:
    """Raises NotObserved unless it is true."""
    if not truth:
        raise NotObserved(expected, seen, component)


def until(
    look: Callable[[], T], is_there: Callable[[T], object], expected: str, seconds: float, component: str
) -> T:
    """Looks again and again until it is there; raises NotObserved, with what was seen last, when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if is_there(seen):
            return seen
        if time.monotonic() > deadline:
            raise NotObserved(f"{expected} within {seconds:.0f} s", seen, component)
        time.sleep(PAUSE_SECONDS)
