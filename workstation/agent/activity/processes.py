"""Which processes does the user run? Reads /proc; a process that ends meanwhile is left out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.activity.cpu import Process

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Tree:
    """The descendants of the agent: those that live, and the pids of its own children that wait to be reaped."""

    living: tuple[Process, ...]
    zombies: frozenset[int]


def read_tree(root: int) -> Tree:
    """Return the descendants of a process, itself left out."""
    every = list(_every_process())
    children: dict[int, list[tuple[str, Process]]] = {}
    for state, process in every:
        children.setdefault(process.parent, []).append((state, process))
    living: list[Process] = []
    waiting = [root]
    while waiting:
        for state, process in children.pop(waiting.pop(), []):
            waiting.append(process.pid)
            if state not in "ZX":
                living.append(process)
    zombies = frozenset(process.pid for state, process in every if state == "Z" and process.parent == root)
    return Tree(tuple(living), zombies)


def _every_process() -> Iterator[tuple[str, Process]]:
    for name in os.listdir(PROC):
        if name.isdigit():
            try:
                text = (PROC / name / "stat").read_text(errors="replace")
            except OSError:
                continue
            yield parse_stat(text)


def parse_stat(text: str) -> tuple[str, Process]:
    """Return the state letter and the process of one /proc/PID/stat; the name may hold spaces and brackets."""
    opening, closing = text.index("("), text.rindex(")")
    fields = text[closing + 2 :].split()
    seconds = [int(field) / TICKS_PER_SECOND for field in fields[11:15]]
    process = Process(
        pid=int(text[:opening]),
        born=int(fields[19]),
        parent=int(fields[1]),
        name=text[opening + 1 : closing],
        cpu_seconds=seconds[0] + seconds[1],
        reaped_seconds=seconds[2] + seconds[3],
    )
    return fields[0], process
