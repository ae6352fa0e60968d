"""Did anything change? A digest over what stat says of every entry, without reading a file.

The change time is part of it: a program can set a file's modification time back, but not that one.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from agent.backup.walk import Walk


@dataclass(frozen=True, slots=True)
class Signature:
    """The state of a workspace; equal ones mean that nothing changed."""

    digest: bytes
    files: int
    total_bytes: int


def read_signature(root: Path) -> Signature:
    """Scan a workspace; raises OSError when its root cannot be read."""
    digest = hashlib.sha256()
    files = total = 0
    for entry in Walk(root).entries():
        status = entry.status
        facts = [status.st_mode, status.st_ino]
        if not entry.is_directory:  # what changes in a directory shows in its entries
            facts += [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        digest.update(b"%d %b %b\0" % (len(entry.path), entry.path, repr(facts).encode()))
        if entry.is_file:
            files += 1
            total += status.st_size
    return Signature(digest.digest(), files, total)
