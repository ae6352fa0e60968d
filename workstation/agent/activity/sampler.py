"""Who looks at the processes, and when? Once a second while thawed, and whenever somebody asks.

The ticks only make the window dense. Nothing depends on one of them: after a freeze the next question takes a
sample of its own.
"""

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Iterator

from agent import clock
from agent.activity.cpu import Busy, CpuShares, Verdict
from agent.activity.model import Activity, Report
from agent.activity.processes import Tree, read_tree

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Adopt the orphans of the tree, so that a daemonised build still is a descendant."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Sampler:
    """Samples the tree into the activity model and reaps the orphans that ended."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._shares = CpuShares()
        self._verdict = Verdict(Busy.NO)
        self._reading: float | None = None
        self._lock = asyncio.Lock()
        self._own_children: set[int] = set()
        self._spawning = 0

    async def sample(self) -> None:
        """Take one sample; afterwards `report` is up to date."""
        async with self._lock:
            reading = clock.monotonic()
            tree = await asyncio.to_thread(read_tree, os.getpid())
            gap = reading - self._reading if self._reading is not None else None
            frozen = gap is None or gap > clock.LONGEST_THAWED_GAP
            self._reading = reading
            self._verdict = self._shares.observe(tree.living, None if frozen else gap)
            self._activity.worked(self._verdict, clock.now())
            self._reap(tree)

    def report(self) -> Report:
        """Return what is known as of the last sample and of this instant's requests."""
        return self._activity.report(self._verdict)

    @contextlib.contextmanager
    def spawning(self) -> Iterator[set[int]]:
        """Keep the reaper away while a child of our own is made; its pid goes into the set."""
        self._spawning += 1
        try:
            yield self._own_children
        finally:
            self._spawning -= 1

    def forget(self, pid: int) -> None:
        """Note that a child of our own was waited for."""
        self._own_children.discard(pid)

    def _reap(self, tree: Tree) -> None:
        if self._spawning:
            return
        for pid in tree.zombies - self._own_children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
