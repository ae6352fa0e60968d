"""In which directory does the next file lie? Paths come in the order of a walk, so the last one is kept open."""

import os
from pathlib import Path
from types import TracebackType

from agent.files.beneath import ROOT, enter


class Parents:
    """Opens the directories of paths beneath a root, one at a time and never through a link."""

    def __init__(self, root: Path | int) -> None:
        self._open = [os.dup(root) if isinstance(root, int) else os.open(root, ROOT)]
        self._names: list[bytes] = []

    def __enter__(self) -> "Parents":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(-1)

    def of(self, path: bytes) -> tuple[int, bytes]:
        """Return the open directory of a path, until the next call, and the name in it.

        Raises OSError, LinkRefusedError.
        """
        *names, name = path.split(b"/")
        if names != self._names:
            self._enter(names)
        return self._open[-1], name

    def _enter(self, names: list[bytes]) -> None:
        shared = 0
        while self._names[shared : shared + 1] == names[shared : shared + 1] and shared < len(names):
            shared += 1
        self._leave(shared)
        for inner in names[shared:]:
            self._open.append(enter(self._open[-1], inner))
            self._names.append(inner)

    def _leave(self, depth: int) -> None:
        """Close what is deeper than so many names; -1 closes the root too."""
        while len(self._open) > depth + 1:
            os.close(self._open.pop())
        del self._names[max(depth, 0) :]
