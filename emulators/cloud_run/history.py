"""How did resources look a while ago? Their last changes, kept for answers that are stale on purpose."""

from __future__ import annotations

from collections import deque

from emulators.clock import Clock
from emulators.cloud_run.model.messages import copy_of
from emulators.rpc.method import Message

KEPT = 4096


class History:
    """What every resource of a kind looked like, and since when, as far back as the last changes reach."""

    def __init__(self, clock: Clock, kept: int = KEPT) -> None:
        self._clock = clock
        self._kept = kept
        self._changes: deque[tuple[float, str, Message | None]] = deque()
        self._before: dict[str, Message] = {}

    def begin_with(self, key: str, resource: Message) -> None:
        """The resource was there before anything that is remembered here."""
        self._before[key] = copy_of(resource)

    def note(self, key: str, resource: Message | None) -> None:
        """From now on the resource looks so; None when it is gone."""
        shown = None if resource is None else copy_of(resource)
        self._changes.append((self._clock.time(), key, shown))
        if len(self._changes) > self._kept:
            _put(self._before, *self._changes.popleft()[1:])

    def seconds_ago(self, seconds: float) -> dict[str, Message]:
        """The resources as they were then, or at the oldest moment that is remembered, oldest first."""
        then = self._clock.time() - seconds
        resources = dict(self._before)
        for when, key, resource in self._changes:
            if when <= then:
                _put(resources, key, resource)
        return resources


def _put(resources: dict[str, Message], key: str, resource: Message | None) -> None:
    if resource is None:
        resources.pop(key, None)
    else:
        resources[key] = resource
