"""In which order are services listed? Newest first; where a page begins is found by bisection, not by sorting."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

from emulators.cloud_run.paging import foreign
from emulators.rpc.method import Message

_TOKEN = re.compile(r"(\d{1,20})-([a-z][-a-z0-9]*)")


class Ages:
    """The ids of services by the time of their creation, and by name among those of one moment."""

    def __init__(self, services: Iterable[Message] = ()) -> None:
        self._ages = sorted(_age(service) for service in services)

    def add(self, service: Message) -> None:
        """A service that is new here."""
        insort(self._ages, _age(service))

    def remove(self, service: Message) -> None:
        """The service is gone."""
        del self._ages[bisect_left(self._ages, _age(service))]

    def newest_first(self, token: str) -> Iterator[str]:
        """The ids from a page's token on, of all without one; INVALID_ARGUMENT for a token of another list."""
        end = bisect_right(self._ages, _place(token)) if token else len(self._ages)
        return (self._ages[index][1] for index in range(end - 1, -1, -1))


def token_of(service: Message) -> str:
    """The token of the page that begins with the service; it holds also when that one is deleted meanwhile."""
    created, service_id = _age(service)
    return f"{created}-{service_id}"


def _age(service: Message) -> tuple[int, str]:
    return service.create_time.ToNanoseconds(), service.name.rpartition("/")[2]


def _place(token: str) -> tuple[int, str]:
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise foreign(token)
    return int(found[1]), found[2]
