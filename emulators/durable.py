"""When is a change of a directory there for good?  When file and directory are both flushed to the disk."""

import os
from pathlib import Path


def replace(path: Path, data: bytes, suffix: str = ".draft") -> None:
    """Write a file whole or not at all, and durably; until it is whole it has another suffix."""
    draft = path.with_suffix(suffix)
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make what was created, renamed or removed in it last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
