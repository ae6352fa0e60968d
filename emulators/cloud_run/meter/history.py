"""What did each instance go through? Facts in the order of the journal become lives; nothing is priced here.

A time never goes back: a fact that says so counts at the latest time known. What is said of an instance that nobody
started, or that has gone, is passed over: its end has closed everything.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from emulators.cloud_run.instances.usage import Allocation
from emulators.cloud_run.meter.facts import Fact, Kind

Stretch = tuple[int, int]
"""From, and up to but without, a time in microseconds."""


@dataclass(slots=True)
class Life:
    """One instance, as far as it is known; what is None has not happened yet."""

    allocation: Allocation
    started: int
    ready: int | None = None
    stopping: int | None = None
    gone: int | None = None
    requests: array[int] = field(default_factory=lambda: array("q"))
    """When each request or WebSocket began."""
    busy: list[Stretch] = field(default_factory=list)
    """When at least one was open, or a liveness probe was."""
    busy_since: int | None = None
    _open: int = 0

    def begin(self, time: int) -> None:
        """One more request or probe is open."""
        self._open += 1
        if self.busy_since is None:
            self.busy_since = time

    def end(self, time: int) -> None:
        """One fewer is open."""
        self._open = max(0, self._open - 1)
        if self._open == 0:
            self._rest(time)

    def die(self, time: int) -> None:
        """Nothing of it is left, and so nothing is open."""
        self.gone = time
        self._open = 0
        self._rest(time)

    def _rest(self, time: int) -> None:
        if self.busy_since is not None:
            self.busy.append((self.busy_since, time))
            self.busy_since = None


@dataclass(slots=True)
class History:
    """Everything known of all services."""

    lives: dict[str, Life] = field(default_factory=dict)
    minimums: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """For each service: from when on, how many instances."""
    latest: int = 0
    _of: dict[str, list[Life]] = field(init=False, default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for life in self.lives.values():
            self._of[life.allocation.service_id].append(life)

    def add(self, fact: Fact) -> None:
        """Learn one fact."""
        before, self.latest = self.latest, max(self.latest, fact.time)
        if fact.kind is Kind.RESTARTED:
            self._end_all(before)
        elif fact.kind is Kind.MINIMUM:
            self.minimums[fact.subject].append((self.latest, fact.minimum))
        elif fact.allocation is not None:
            self._begin(Life(fact.allocation, self.latest))
        elif (life := self.lives.get(fact.subject)) is not None and life.gone is None:
            _apply(life, fact.kind, self.latest)

    def of(self, service_id: str) -> list[Life]:
        """The lives of one service, oldest first."""
        return sorted(self._of.get(service_id, ()), key=lambda life: (life.started, life.allocation.instance))

    def services(self) -> list[str]:
        """All that had an instance."""
        return sorted(self._of)

    def _begin(self, life: Life) -> None:
        if life.allocation.instance not in self.lives:
            self.lives[life.allocation.instance] = life
            self._of[life.allocation.service_id].append(life)

    def _end_all(self, time: int) -> None:
        for life in self.lives.values():
            if life.gone is None:
                life.die(time)
        # What is kept is said anew by an emulator that begins, unless it is none.
        for counts in self.minimums.values():
            counts.append((time, 0))


def recall(facts: Iterable[Fact]) -> History:
    """The history that facts come to."""
    history = History()
    for fact in facts:
        history.add(fact)
    return history


def _apply(life: Life, kind: Kind, time: int) -> None:
    match kind:
        case Kind.READY:
            life.ready = life.ready if life.ready is not None else time
        case Kind.STOPPING:
            life.stopping = life.stopping if life.stopping is not None else time
        case Kind.GONE:
            life.die(time)
        case Kind.BEGAN:
            life.requests.append(time)
            life.begin(time)
        case Kind.PROBE_BEGAN:
            life.begin(time)
        case Kind.ENDED | Kind.PROBE_ENDED:
            life.end(time)
