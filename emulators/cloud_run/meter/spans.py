"""Which times of an instance are billed, and on which basis? Pure; told the time; no price is known here.

Request-based billing (`cpu_idle`): ACTIVE while it starts, while at least one request, WebSocket or liveness probe is
open, and from SIGTERM until it is gone. Each such stretch is rounded up to 100 ms, and the rounding lies on the time
axis, right after the stretch: where it meets the next one, both are one stretch, so that no moment is billed twice, and
a cut of the axis never changes a sum. In between it is IDLE_MINIMUM while it is one of the instances that the service
keeps, else free.
Instance-based billing: INSTANCE for its whole life, a minute at least. What has begun is owed: an open stretch counts
to the end of its 100 ms, an instance that has just started to the end of its minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from emulators.cloud_run.instances.usage import Allocation
from emulators.cloud_run.meter.history import History, Life, Stretch
from emulators.cloud_run.meter.minimum import Course, kept_idle

GRAIN = 100_000
"""Microseconds to which time is rounded up."""
SHORTEST_INSTANCE = 60_000_000
"""Microseconds that instance-based billing charges at least for an instance."""


class Basis(StrEnum):
    """At which of the prices a time is billed."""

    ACTIVE = "active"
    IDLE_MINIMUM = "idleMinimum"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True)
class Span:
    """A time of an instance that is billed, in microseconds since 1970; `end` is not in it."""

    allocation: Allocation
    basis: Basis
    start: int
    end: int


def spans(history: History, service_id: str, now: int) -> list[Span]:
    """All that is billed of a service by `now`; the spans of one instance do not overlap."""
    lives = history.of(service_id)
    rested = kept_idle([_course(life, now) for life in lives], history.minimums.get(service_id, []))
    idle = [
        Span(life.allocation, Basis.IDLE_MINIMUM, start, end)
        for life, stretches in zip(lives, rested, strict=True)
        for start, end in stretches
    ]
    return [*(span for life in lives for span in _own_spans(life, now)), *idle]


def active(life: Life, now: int) -> list[Stretch]:
    """When an instance with request-based billing is active, rounded; in order, without overlaps."""
    death = life.gone if life.gone is not None else now
    stretches = [(life.started, _first(life.ready, death)), *life.busy]
    if life.busy_since is not None:
        stretches.append((life.busy_since, death))
    if life.stopping is not None:
        stretches.append((life.stopping, death))
    return [(start, end) for start, end in _rounded(sorted(stretches)) if start < end]


def _own_spans(life: Life, now: int) -> Iterator[Span]:
    if life.allocation.cpu_idle:
        for start, end in active(life, now):
            yield Span(life.allocation, Basis.ACTIVE, start, end)
        return
    death = life.gone if life.gone is not None else now
    lived = max(_up(death - life.started), SHORTEST_INSTANCE)
    yield Span(life.allocation, Basis.INSTANCE, life.started, life.started + lived)


def _rounded(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    current: Stretch | None = None
    for start, end in stretches:
        if current is not None and start <= current[0] + _up(current[1] - current[0]):
            current = current[0], max(current[1], end)
            continue
        if current is not None:
            yield current[0], current[0] + _up(current[1] - current[0])
        current = start, end
    if current is not None:
        yield current[0], current[0] + _up(current[1] - current[0])


def _up(duration: int) -> int:
    return -(-duration // GRAIN) * GRAIN


def _first(*times: int | None) -> int:
    return min(time for time in times if time is not None)


def _course(life: Life, now: int) -> Course:
    """When it serves and when it rests, between ready and stopping; with instance-based billing it never rests."""
    if life.ready is None:
        return Course()
    start, end = life.ready, _first(life.stopping, life.gone, now)
    if not life.allocation.cpu_idle:
        return Course(serves=_within([(start, end)], start, end))
    serves = _within(active(life, now), start, end)
    bounds = [start, *(time for stretch in serves for time in stretch), end]
    return Course(serves, _within(zip(bounds[::2], bounds[1::2], strict=True), start, end))


def _within(stretches: Iterable[Stretch], start: int, end: int) -> list[Stretch]:
    clipped = ((max(start, first), min(end, last)) for first, last in stretches)
    return [(first, last) for first, last in clipped if first < last]
