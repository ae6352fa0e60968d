"""Does every instance keep within its memory and its workspace? Who does not is killed, and its log says why."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable

from emulators.cloud_run.model.quantities import MIB
from emulators.cloud_run.runtime.contract import memory_exceeded
from emulators.cloud_run.runtime.process import memory, tree
from emulators.cloud_run.runtime.process.container import ProcessContainer

_INTERVAL_SECONDS = 0.1


async def watch(containers: Callable[[], Iterable[ProcessContainer]], *, tmpfs: bool) -> None:
    """Check all thawed containers again and again, and a frozen one once more: it cannot grow."""
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        due = [container for container in containers() if not container.ended and not container.measured]
        if not due:
            continue
        children = tree.table()
        for container in due:
            check(container, children, tmpfs=tmpfs)
            container.measured = container.frozen


def check(container: ProcessContainer, children: dict[int, list[tree.Entry]], *, tmpfs: bool) -> None:
    """Kill the container when it is over its memory (files of a tmpfs count) or over a soft workspace limit."""
    pids = [entry.pid for entry in tree.below(container.launcher_pid, children)]
    mounts = container.mounts
    files = sum(memory.mounted_bytes(container.pid, m.path) for m in mounts) if tmpfs else 0
    limit = container.memory_bytes
    if memory.resident_bytes(pids) + files > limit:
        used = _used(pids) + files
        if used > limit:
            container.end_for(memory_exceeded(limit, used))
    if not tmpfs:
        for mount in mounts:
            if memory.directory_bytes(mount.path) > mount.size_bytes:
                container.end_for(
                    f"Volume limit of {mount.size_bytes // MIB} MiB exceeded at {mount.path.name}."
                )


def _used(pids: list[int]) -> int:
    return memory.proportional_bytes(pids) if sys.platform == "linux" else memory.resident_bytes(pids)
