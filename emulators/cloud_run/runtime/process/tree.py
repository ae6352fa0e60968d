"""Which processes belong to an instance? The tree below its launcher; nothing leaves it, for the launcher reaps orphans.

On Linux the table is read from /proc directly, elsewhere through psutil.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

import psutil

_STOPPED = frozenset("Tt")
_DEAD = frozenset("ZX")
# A tree that still grows after so many passes is stopped as far as it is known.
_PASSES = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One process as the kernel's table shows it; `state` is the letter of ps."""

    pid: int
    parent: int
    state: str


def descendants(root: int) -> list[Entry]:
    """All living processes below `root`, parents first, without `root` itself."""
    return below(root, table())


def table() -> dict[int, list[Entry]]:
    """All processes of the machine, by their parent."""
    children: defaultdict[int, list[Entry]] = defaultdict(list)
    for entry in _linux_entries() if sys.platform == "linux" else _portable_entries():
        children[entry.parent].append(entry)
    return children


def below(root: int, children: dict[int, list[Entry]]) -> list[Entry]:
    """The part of a table that descends from `root`."""
    found = []
    pending = list(children.get(root, ()))
    while pending:
        entry = pending.pop(0)
        if entry.state not in _DEAD:
            found.append(entry)
        pending.extend(children.get(entry.pid, ()))
    return found


def stop(root: int) -> list[int]:
    """Stop everything below `root` and return what was stopped; repeated until no new process appears.

    What had stopped itself before (a job under Ctrl-Z) is left out, so that a thaw does not wake it.
    """
    seen: set[int] = set()
    stopped = []
    for _ in range(_PASSES):
        fresh = [entry for entry in descendants(root) if entry.pid not in seen]
        if not fresh:
            break
        for entry in fresh:
            seen.add(entry.pid)
            if entry.state not in _STOPPED and send(entry.pid, signal.SIGSTOP):
                stopped.append(entry.pid)
    return stopped


def resume(pids: list[int]) -> None:
    """Let stopped processes go on."""
    for pid in pids:
        send(pid, signal.SIGCONT)


def kill(root: int) -> None:
    """Kill everything below `root`; the launcher at `root` then reaps it and ends."""
    for entry in descendants(root):
        send(entry.pid, signal.SIGKILL)


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False when the process is gone, or has made itself another user's."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _linux_entries() -> list[Entry]:
    entries = []
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        with suppress(OSError):
            handle = os.open(f"/proc/{name}/stat", os.O_RDONLY)
            try:
                line = os.read(handle, 512)
            finally:
                os.close(handle)
            # The command's name may hold spaces and brackets; the fields begin after the last bracket.
            state, parent = line[line.rindex(b")") + 2 :].split(b" ", 2)[:2]
            entries.append(Entry(int(name), int(parent), state.decode()))
    return entries


def _portable_entries() -> list[Entry]:
    letters = {psutil.STATUS_STOPPED: "T", psutil.STATUS_ZOMBIE: "Z"}
    found = []
    for process in psutil.process_iter(["pid", "ppid", "status"]):
        facts = process.info
        found.append(Entry(facts["pid"], facts["ppid"] or 0, letters.get(facts["status"], "S")))
    return found
