"""How does a workspace become one stream of bytes? As a POSIX (pax) tar, made in bounded memory while it is read.

A file that changes while it is read is added again at the end, where the later one wins; one that never
stands still is named. A hard link is stored as the file it is. Sockets, FIFOs and devices are left out and named.
"""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from agent.backup.walk import Entry, Walk
from agent.files.beneath import PathRefusedError, components, directory, open_file

PIECE = 256 * 1024
ATTEMPTS = 3
BLOCK = tarfile.BLOCKSIZE


class Archive:
    """One pass over a workspace; read `pieces` to the end, then the counts hold."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._walk = Walk(root)
        self._restless: list[bytes] = []
        self.files = 0

    @property
    def changed(self) -> list[str]:
        """Return the files that changed during every attempt to read them."""
        return [os.fsdecode(path) for path in self._restless]

    @property
    def skipped(self) -> list[dict[str, str]]:
        """Return what is not in the archive, and why."""
        return [{"path": os.fsdecode(path), "reason": why} for path, why in self._walk.skipped]

    def pieces(self) -> Iterator[bytes]:
        """Yield the archive; raises OSError when the workspace itself cannot be read."""
        for entry in self._walk.entries():
            yield from self._add(entry)
        for _ in range(ATTEMPTS - 1):
            again, self._restless = self._restless, []
            for path in again:
                yield from self._add_again(path)
        yield bytes(2 * BLOCK)

    def _add(self, entry: Entry) -> Iterator[bytes]:
        if entry.is_file:
            yield from self._add_file(entry.parent, entry.name, entry.path, count=True)
        elif entry.is_directory:
            yield _header(entry.path, entry.status, tarfile.DIRTYPE)
        elif entry.is_link:
            yield from self._add_link(entry)
        else:
            self._walk.skip(entry.path, "it is neither a file, a directory nor a link")

    def _add_link(self, entry: Entry) -> Iterator[bytes]:
        try:
            target = os.readlink(entry.name, dir_fd=entry.parent)
        except OSError:
            return  # it was removed or replaced meanwhile; the next save has what is there then
        yield _header(entry.path, entry.status, tarfile.SYMTYPE, target=target)

    def _add_again(self, path: bytes) -> Iterator[bytes]:
        names = components(path)
        try:
            with directory(self._root, names[:-1]) as parent:
                yield from self._add_file(parent, names[-1], path, count=False)
        except (OSError, PathRefusedError):
            return  # it was removed meanwhile; what was read of it stands

    def _add_file(self, parent: int, name: bytes, path: bytes, *, count: bool) -> Iterator[bytes]:
        try:
            descriptor = open_file(parent, name, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return
        except (OSError, PathRefusedError) as error:
            self._walk.skip(path, getattr(error, "strerror", None) or str(error))
            return
        try:
            before = os.fstat(descriptor)
            yield _header(path, before, tarfile.REGTYPE, size=before.st_size)
            yield from _content(descriptor, before.st_size)
            if _moved(before, os.fstat(descriptor)):
                self._restless.append(path)
            self.files += count
        finally:
            os.close(descriptor)


def _content(descriptor: int, size: int) -> Iterator[bytes]:
    """Yield exactly `size` bytes and the padding: a file that shrank is filled up, and seen to have changed."""
    left = size
    while left:
        piece = os.read(descriptor, min(PIECE, left)) or bytes(min(PIECE, left))
        left -= len(piece)
        yield piece
    yield bytes(-size % BLOCK)


def _moved(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def _header(path: bytes, status: os.stat_result, kind: bytes, *, size: int = 0, target: bytes = b"") -> bytes:
    info = tarfile.TarInfo(os.fsdecode(path))
    info.type = kind
    info.size = size
    info.linkname = os.fsdecode(target)
    info.mode = status.st_mode & 0o777
    sign = "-" if status.st_mtime_ns < 0 else ""
    seconds, nanoseconds = divmod(abs(status.st_mtime_ns), 1_000_000_000)
    info.mtime = 0 if sign else seconds
    # As text, because a float loses what lies below a microsecond.
    info.pax_headers = {"mtime": f"{sign}{seconds}.{nanoseconds:09d}"}
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
