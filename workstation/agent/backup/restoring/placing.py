"""How do entries become files, without anything outside the staging directory being touched?

Every name is reached from the open staging directory one component at a time and never through a link. Files are
created anew (O_EXCL), links after all files, and directories get their modes and times last: a read-only one could
not be filled before. A link may point anywhere, as the user's own may; nothing is ever written through it.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from types import TracebackType

from agent.backup.failures import DoesNotFitError
from agent.backup.form.entry import Entry
from agent.backup.index import Facts
from agent.backup.parents import Parents
from agent.backup.progress import Progress
from agent.backup.restoring.holes import is_hole
from agent.backup.restoring.pending import Place
from agent.files.beneath import DIRECTORY, FILE

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | FILE
_AGAIN = os.O_WRONLY | FILE
_PRIVATE = 0o600
_OURS = 0o700
"""What we need on a directory while it is being filled."""


class Placing:
    """Makes entries in an open, empty directory. Give the directories first, then all pieces, then the links.

    Use it as a context: it keeps open what it will need again.
    """

    def __init__(self, target: int, room: int, progress: Progress) -> None:
        self.facts: dict[bytes, Facts] = {}
        """How each file and link looks, once it is finished."""
        self._parents = Parents(target)
        self._progress = progress
        self._room = room
        self._written = 0
        self._left: dict[bytes, int] = {}
        self._open: tuple[bytes, int] | None = None

    def __enter__(self) -> "Placing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parents.__exit__(kind, error, trace)
        self._switch(None)

    def make_directories(self, entries: Iterable[Entry]) -> None:
        """Make the directories, each after the one it is in; raises OSError."""
        for entry in entries:
            parent, name = self._parents.of(entry.path)
            os.mkdir(name, entry.mode | _OURS, dir_fd=parent)

    def make_empty_file(self, entry: Entry) -> None:
        """Make a file that has no pieces; raises OSError."""
        self._make_whole(entry, memoryview(b""))

    def place(self, place: Place, content: memoryview) -> None:
        """Write one piece of a file; raises DoesNotFitError, OSError."""
        if len(place.entry.pieces) == 1:
            self._make_whole(place.entry, content)
        else:
            self._make_part(place, content)
        self._progress.bytes += len(content)

    def make_link(self, entry: Entry) -> None:
        """Make a link; raises OSError."""
        parent, name = self._parents.of(entry.path)
        os.symlink(entry.target, name, dir_fd=parent)
        os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)
        self.facts[entry.path] = Facts.of(os.stat(name, dir_fd=parent, follow_symlinks=False))

    def _make_whole(self, entry: Entry, content: memoryview) -> None:
        parent, name = self._parents.of(entry.path)
        descriptor = os.open(name, _NEW, entry.mode, dir_fd=parent)
        try:
            self._write(descriptor, content, 0, entry.size)
            self._finish(descriptor, entry)
        finally:
            os.close(descriptor)

    def _make_part(self, place: Place, content: memoryview) -> None:
        entry = place.entry
        descriptor = self._descriptor(entry)
        self._write(descriptor, content, place.offset, entry.size)
        self._left[entry.path] -= 1
        if not self._left[entry.path]:
            self._finish(descriptor, entry)
            del self._left[entry.path]

    def _descriptor(self, entry: Entry) -> int:
        """Return the file open, which stays open until a piece of another comes."""
        if self._open is None or self._open[0] != entry.path:
            parent, name = self._parents.of(entry.path)
            is_new = entry.path not in self._left
            self._switch((entry.path, os.open(name, _NEW if is_new else _AGAIN, _PRIVATE, dir_fd=parent)))
            self._left.setdefault(entry.path, len(entry.pieces))
        assert self._open
        return self._open[1]

    def _switch(self, opened: tuple[bytes, int] | None) -> None:
        if self._open is not None:
            os.close(self._open[1])
        self._open = opened

    def _write(self, descriptor: int, content: memoryview, offset: int, size: int) -> None:
        """Write at an offset; zeros become a hole, and the file as long as it will be if it is not yet."""
        if content and is_hole(content):
            if os.fstat(descriptor).st_size < size:
                os.ftruncate(descriptor, size)
            return
        self._written += len(content)
        if self._written > self._room:
            raise DoesNotFitError(self._written, self._room)
        while content:
            written = os.pwrite(descriptor, content, offset)
            content, offset = content[written:], offset + written

    def _finish(self, descriptor: int, entry: Entry) -> None:
        self.facts[entry.path] = finish(descriptor, entry)
        self._progress.files += 1


def finish(descriptor: int, entry: Entry) -> Facts:
    """Give an open file or directory its time and mode, and return how it looks then; raises OSError."""
    os.utime(descriptor, ns=(entry.mtime, entry.mtime))
    status = os.fstat(descriptor)
    # As a rule it was made with its mode; the process's umask, or our need to fill it, can have been against that.
    if stat.S_IMODE(status.st_mode) != entry.mode:
        os.fchmod(descriptor, entry.mode)
        status = os.fstat(descriptor)
    return Facts.of(status)


def finish_directories(root: int, entries: Sequence[Entry]) -> dict[bytes, Facts]:
    """Give the directories beneath an open one, each after what is in it, their times and modes; raises OSError."""
    facts = {}
    with Parents(root) as parents:
        # From the end: what is in a directory that nobody may enter has to be done before it, and neighbours stay open.
        for entry in reversed(entries):
            parent, name = parents.of(entry.path)
            descriptor = os.open(name, DIRECTORY, dir_fd=parent)
            try:
                facts[entry.path] = finish(descriptor, entry)
            finally:
                os.close(descriptor)
    return facts
