"""How did the list of services look a while ago? The last changes, kept for answers that are stale on purpose."""

from __future__ import annotations

from collections import deque

from emulators.clock import Clock
from emulators.cloud_run.model.messages import ServiceMessage, copy_of

KEPT = 4096


class History:
    """What every service looked like, and since when, as far back as the last changes reach."""

    def __init__(self, clock: Clock, kept: int = KEPT) -> None:
        self._clock = clock
        self._kept = kept
        self._changes: deque[tuple[float, str, ServiceMessage | None]] = deque()
        self._before: dict[str, ServiceMessage] = {}

    def begin_with(self, service_id: str, service: ServiceMessage) -> None:
        """The service was there before anything that is remembered here."""
        self._before[service_id] = copy_of(service)

    def note(self, service_id: str, service: ServiceMessage | None) -> None:
        """From now on the service looks so; None when it is gone."""
        shown = None if service is None else copy_of(service)
        self._changes.append((self._clock.time(), service_id, shown))
        if len(self._changes) > self._kept:
            _put(self._before, *self._changes.popleft()[1:])

    def seconds_ago(self, seconds: float) -> list[ServiceMessage]:
        """The services as they were then, or at the oldest moment that is remembered."""
        then = self._clock.time() - seconds
        services = dict(self._before)
        for when, service_id, service in self._changes:
            if when <= then:
                _put(services, service_id, service)
        return list(services.values())


def _put(services: dict[str, ServiceMessage], service_id: str, service: ServiceMessage | None) -> None:
    if service is None:
        services.pop(service_id, None)
    else:
        services[service_id] = service
