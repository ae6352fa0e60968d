"""Does every instance keep within its memory and its workspace? Who does not is killed, and its log says why."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable

from emulators.cloud_run.instances.instance import Instance, State
from emulators.cloud_run.model.quantities import MIB
from emulators.cloud_run.runtime import memory, tree

_INTERVAL_SECONDS = 0.1


async def watch(instances: Callable[[], Iterable[Instance]], *, tmpfs: bool) -> None:
    """Check all thawed instances again and again, and a frozen one once more: it cannot grow."""
    while True:
        await asyncio.sleep(_INTERVAL_SECONDS)
        due = [i for i in instances() if i.process and i.state is not State.GONE and not i.measured]
        if not due:
            continue
        children = tree.table()
        for instance in due:
            check(instance, children, tmpfs=tmpfs)
            instance.measured = instance.state is State.FROZEN


def check(instance: Instance, children: dict[int, list[tree.Entry]], *, tmpfs: bool) -> None:
    """Kill the instance when it is over its memory (files of a tmpfs count) or over a soft workspace limit."""
    if instance.process is None:
        return
    pids = [entry.pid for entry in tree.below(instance.process.launcher_pid, children)]
    mounts = instance.mounts
    files = sum(memory.mounted_bytes(instance.process.pid, m.path) for m in mounts) if tmpfs else 0
    limit = instance.revision.memory_bytes
    if memory.resident_bytes(pids) + files > limit:
        used = _used(pids) + files
        if used > limit:
            instance.fail(
                f"Memory limit of {limit // MIB} MiB exceeded with {used // MIB} MiB used. "
                "Consider increasing the memory limit."
            )
    if not tmpfs:
        for mount in mounts:
            if memory.directory_bytes(mount.path) > mount.size_bytes:
                instance.fail(f"Volume limit of {mount.size_bytes // MIB} MiB exceeded at {mount.path.name}.")


def _used(pids: list[int]) -> int:
    return memory.proportional_bytes(pids) if sys.platform == "linux" else memory.resident_bytes(pids)
