"""Does an instance keep within its memory and its workspace? Measured over the tree, because limits are per process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)
_RSS = re.compile(rb"^VmRSS:\s+(\d+) kB", re.MULTILINE)


def resident_bytes(pids: Iterable[int]) -> int:
    """The sum of the resident sets: cheap, and an upper bound, for shared pages count in each process."""
    return sum(_read(f"/proc/{pid}/status", _RSS) or _portable_rss(pid) for pid in pids)


def proportional_bytes(pids: Iterable[int]) -> int:
    """The sum of the proportional sets: exact, and dear; the resident set where the kernel refuses it."""
    return sum(_read(f"/proc/{pid}/smaps_rollup", _PSS) or _read(f"/proc/{pid}/status", _RSS) for pid in pids)


def mounted_bytes(pid: int, path: Path) -> int:
    """What a tmpfs that only the process `pid` can see holds."""
    with suppress(OSError):
        facts = os.statvfs(f"/proc/{pid}/root{path}")
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize
    return 0


def directory_bytes(path: Path) -> int:
    """What a plain directory holds, as the disk counts it."""
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return total


def _read(path: str, pattern: re.Pattern[bytes]) -> int:
    with suppress(OSError):
        match = pattern.search(Path(path).read_bytes())
        return int(match[1]) * 1024 if match else 0
    return 0


def _portable_rss(pid: int) -> int:
    if os.path.isdir("/proc/self"):
        return 0
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
