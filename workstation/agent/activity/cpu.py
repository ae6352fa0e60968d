"""Do the user's processes work, or do they wait? Pure: it is shown samples and told how long lay between.

A process is busy when it used more than 2 % of a CPU over the last minute of thawed time, of which at least
five seconds must have been seen; before that nobody knows. Children that came and went between two
samples are charged to the parent that reaped them, so a build of many short compilers is busy too.
A quiet young child of a process that is known long enough is judged with it: otherwise a loop around `sleep 1`
would be unknown for ever, and unknown counts as busy.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

BUSY_SHARE = 0.02
SHORTEST_WINDOW = 5.0
LONGEST_WINDOW = 60.0
QUIET_SECONDS = BUSY_SHARE * SHORTEST_WINDOW


class Busy(StrEnum):
    """Whether work is going on; UNKNOWN is to be treated as YES."""

    YES = "YES"
    NO = "NO"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why it is busy: a process, a command or a request."""

    source: str
    pid: int | None
    name: str
    cpu_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the processes of the user do, as far as it is known."""

    busy: Busy
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one instant; `born` tells it from a later one with the same pid."""

    pid: int
    born: int
    parent: int
    name: str
    cpu_seconds: float
    reaped_seconds: float

    @property
    def total_seconds(self) -> float:
        """Return the CPU seconds of the process and of the children it has reaped."""
        return self.cpu_seconds + self.reaped_seconds


@dataclass(slots=True)
class History:
    """What one process used, interval by interval, over at most the longest window."""

    intervals: deque[tuple[float, float]] = field(default_factory=deque)
    thawed: float = 0.0
    used: float = 0.0

    def add(self, elapsed: float, used: float) -> None:
        """Append one interval and forget what is older than the window."""
        self.intervals.append((elapsed, used))
        self.thawed += elapsed
        self.used += used
        while self.thawed - self.intervals[0][0] >= LONGEST_WINDOW:
            oldest = self.intervals.popleft()
            self.thawed -= oldest[0]
            self.used -= oldest[1]

    @property
    def known(self) -> bool:
        """Tell whether enough of it was seen."""
        return self.thawed >= SHORTEST_WINDOW - 1e-6

    @property
    def share(self) -> float:
        """Return the share of one CPU that was used."""
        return self.used / self.thawed if self.thawed else 0.0


class CpuShares:
    """Turns samples of a process tree into a verdict."""

    def __init__(self) -> None:
        self._last: dict[int, Process] = {}
        self._histories: dict[int, History] = {}

    def observe(self, processes: Iterable[Process], elapsed: float | None) -> Verdict:
        """Take a sample `elapsed` thawed seconds after the one before; None if a freeze lay between."""
        before, self._last = self._last, {process.pid: process for process in processes}
        histories = self._histories
        self._histories = {
            pid: histories[pid] if _same(process, before.get(pid)) else History()
            for pid, process in self._last.items()
        }
        if elapsed:
            self._charge(before, elapsed)
        return self._verdict()

    def _charge(self, before: dict[int, Process], elapsed: float) -> None:
        vanished = _vanished_seconds(before, self._last)
        for pid, process in self._last.items():
            earlier = before.get(pid)
            if earlier is not None and _same(process, earlier):
                reaped = process.reaped_seconds - earlier.reaped_seconds - vanished.get(pid, 0.0)
                used = process.cpu_seconds - earlier.cpu_seconds + max(0.0, reaped)
                self._histories[pid].add(elapsed, used)

    def _verdict(self) -> Verdict:
        causes = tuple(
            Cause("process", pid, self._last[pid].name, round(history.share * 100, 1))
            for pid, history in self._histories.items()
            if history.known and history.share > BUSY_SHARE
        )
        if causes:
            return Verdict(Busy.YES, causes)
        unknown = any(self._unknown(process) for process in self._last.values())
        return Verdict(Busy.UNKNOWN if unknown else Busy.NO)

    def _unknown(self, process: Process) -> bool:
        if self._histories[process.pid].known:
            return False
        return process.total_seconds > QUIET_SECONDS or not self._known_ancestor(process)

    def _known_ancestor(self, process: Process) -> bool:
        parent = self._last.get(process.parent)
        # A tree read while it changes may hold a loop for an instant; its depth bounds the walk.
        for _ in range(len(self._last)):
            if parent is None:
                return False
            if self._histories[parent.pid].known:
                return True
            parent = self._last.get(parent.parent)
        return False


def _same(process: Process, earlier: Process | None) -> bool:
    return earlier is not None and earlier.born == process.born


def _vanished_seconds(before: dict[int, Process], after: dict[int, Process]) -> dict[int, float]:
    """Return, by parent, the CPU seconds that were already charged to children which are gone now."""
    vanished: dict[int, float] = {}
    for pid, process in before.items():
        if not _same(process, after.get(pid)):
            vanished[process.parent] = vanished.get(process.parent, 0.0) + process.total_seconds
    return vanished
