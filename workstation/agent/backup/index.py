"""What is known of a workspace since its last save or restore, so that the next save reads only what changed?"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.backup.form.entry import Entry
from agent.backup.form.manifest import Manifest

TICK_NS = 50_000_000
"""Two changes within one tick of the file system's clock leave the same times; no kernel's tick is as long as this."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the file system says of one path, but for its content. The change time cannot be set by a program."""

    mode: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Facts":
        return cls(status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Known:
    """A path as it is in the backup. `settled`: a later change would show in its facts."""

    facts: Facts
    entry: Entry
    settled: bool


@dataclass(frozen=True, slots=True)
class Index:
    """One verified backup, and how the workspace looked when it was made or restored."""

    manifest: Manifest
    paths: dict[bytes, Known] = field(default_factory=dict)
    """In the order of the lists. A save that finds nothing to store notes here how the workspace looks now."""
    blobs: Mapping[bytes, int] = field(default_factory=dict)
    """Which pack of the manifest holds a blob, by the pack's place in `manifest.packs`; lists included."""


def is_same(facts: Facts, status: os.stat_result) -> bool:
    """Tell whether the file system still says what it said."""
    return (
        facts.ctime_ns == status.st_ctime_ns
        and facts.mtime_ns == status.st_mtime_ns
        and facts.size == status.st_size
        and facts.inode == status.st_ino
        and facts.mode == status.st_mode
    )


def is_settled(facts: Facts, scanned_ns: int) -> bool:
    """Tell whether what was read, at or after the wall clock's `scanned_ns`, can no longer change unseen."""
    return facts.ctime_ns < scanned_ns - TICK_NS
