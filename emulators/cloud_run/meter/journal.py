"""Where are the facts kept? In one file that is only ever added to.

Each fact is handed to the kernel before the emulator goes on, so that no kill of the emulator loses one. The file is
flushed to disk when the emulator ends in order, and not before: a crash of the machine may cost the last seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from emulators.cloud_run.meter.facts import Fact, decode, encode


class Journal:
    """The facts on disk; what of a fact was written by half before a crash is cut off."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._file, _whole(path))

    def add(self, fact: Fact) -> None:
        """Write one down."""
        os.write(self._file, f"{encode(fact)}\n".encode())

    def close(self) -> None:
        """Flush to disk and let go of the file."""
        os.fsync(self._file)
        os.close(self._file)


def facts_in(path: Path) -> Iterator[Fact]:
    """All facts of a file up to now, in order; a line that is none is passed over."""
    with path.open() as lines:
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                yield decode(line)


def _whole(path: Path) -> int:
    """The length of the file up to the end of its last whole line."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        while size > 0:
            start = max(0, size - 4096)
            file.seek(start)
            newline = file.read(size - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            size = start
    return 0
