"""Which idle instances are the ones that a service keeps as its minimum? Pure.

With a minimum of 10 and 6 that serve, 4 idle ones are the minimum's (run/docs/configuring/min-instances); which 4 is
said nowhere: here the oldest. An instance that starts or stops fills no place of the minimum: it is billed as active.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from emulators.cloud_run.meter.history import Stretch

_UNCHANGED = -1


@dataclass(frozen=True, slots=True)
class Course:
    """When an instance serves requests and when it rests; in order, without overlaps, never both."""

    serves: list[Stretch] = field(default_factory=list)
    rests: list[Stretch] = field(default_factory=list)


def kept_idle(courses: Sequence[Course], minimums: Sequence[tuple[int, int]]) -> list[list[Stretch]]:
    """For each course, oldest first, when it rests as one of the minimum; `minimums` are counts, each from its time on."""
    kept: list[list[Stretch]] = [[] for _ in courses]
    resting: list[int] = []
    serving = minimum = 0
    changes = sorted(_changes(courses, minimums))
    for change, following in zip_longest(changes, changes[1:]):
        minimum = minimum if change.minimum == _UNCHANGED else change.minimum
        serving += change.serving
        if change.rests > 0:
            insort(resting, change.course)
        elif change.rests < 0:
            resting.remove(change.course)
        if following is not None and change.time < following.time:
            for index in resting[: max(0, minimum - serving)]:
                _extend(kept[index], (change.time, following.time))
    return kept


class _Change(NamedTuple):
    time: int
    order: int
    course: int = 0
    serving: int = 0
    rests: int = 0
    minimum: int = _UNCHANGED


def _changes(courses: Sequence[Course], minimums: Sequence[tuple[int, int]]) -> Iterator[_Change]:
    for position, (time, count) in enumerate(minimums):
        yield _Change(time, position, minimum=count)
    for index, course in enumerate(courses):
        for start, end in course.serves:
            yield _Change(start, 0, index, serving=1)
            yield _Change(end, 0, index, serving=-1)
        for start, end in course.rests:
            yield _Change(start, 0, index, rests=1)
            yield _Change(end, 0, index, rests=-1)


def _extend(stretches: list[Stretch], piece: Stretch) -> None:
    if stretches and stretches[-1][1] == piece[0]:
        stretches[-1] = stretches[-1][0], piece[1]
    else:
        stretches.append(piece)
