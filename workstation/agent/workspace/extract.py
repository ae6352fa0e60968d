"""How do the members of an archive become files, without anything outside the target being touched?

Every name is reached from the open target one component at a time and never through a link; files are created anew
(O_EXCL); links are made last, so that no member can pass through one. A link may point anywhere, as the user's own
may (a virtual environment's `python` does): it is only a name, and nothing is ever written through it.

There is no cap on the ratio of compression, which an honest file of zeros exceeds: the bytes themselves are capped.
"""

import contextlib
import os
import stat
import sys
from dataclasses import dataclass

from agent.backup.failures import ArchiveRefusedError, DoesNotFitError
from agent.backup.walk import DEEPEST, LONGEST_PATH
from agent.files.beneath import PathRefusedError, directory, open_file
from agent.workspace.members import BLOCK, Member, Reader, read_exactly, read_members

PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may bring."""

    members: int = 2_000_000
    total_bytes: int = 64 * 1024**3
    room: int = sys.maxsize


class Extractor:
    """Extracts one archive into an open, empty directory."""

    def __init__(self, target: int, limits: Limits) -> None:
        self.files = 0
        self.total_bytes = 0
        self._target = target
        self._limits = limits
        self._members = 0
        self._directories: list[Member] = []
        self._links: list[Member] = []

    def run(self, source: Reader) -> None:
        """Extract everything, then call `finish`; raises ArchiveRefusedError, or OSError when the disk is full."""
        try:
            for member in read_members(source):
                self._admit(member)
                self._take(member, source)
            for link in self._links:
                self._make_link(link)
        except (PathRefusedError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise ArchiveRefusedError(f"two members contradict each other: {error}") from error

    def finish(self) -> None:
        """Give the directories their modes and times; a read-only one could not be filled, or removed, before."""
        for made in sorted(self._directories, key=lambda one: -len(one.names)):
            self._finish_directory(made)

    def _admit(self, member: Member) -> None:
        self._members += 1
        self.total_bytes += member.size
        if self._members > self._limits.members:
            raise ArchiveRefusedError(f"it holds more than {self._limits.members} members")
        if self.total_bytes > self._limits.total_bytes:
            raise ArchiveRefusedError(f"it holds more than {self._limits.total_bytes} bytes")
        if self.total_bytes > self._limits.room:
            raise DoesNotFitError(self.total_bytes, self._limits.room)
        if len(member.names) > DEEPEST or sum(map(len, member.names)) > LONGEST_PATH:
            raise ArchiveRefusedError("a path in it is too deep or too long")

    def _take(self, member: Member, source: Reader) -> None:
        if member.kind == "directory":
            with directory(self._target, member.names, make=True):
                self._directories.append(member)
        elif member.kind == "link":
            self._links.append(member)
        else:
            self._make_file(member, source)

    def _make_file(self, member: Member, source: Reader) -> None:
        with directory(self._target, member.names[:-1], make=True) as parent:
            descriptor, replaced = _create(parent, member.names[-1])
            try:
                _copy(source, descriptor, member.size)
                os.fchmod(descriptor, member.mode)
                os.utime(descriptor, ns=(member.modified_ns, member.modified_ns))
            finally:
                os.close(descriptor)
        self.files += not replaced

    def _make_link(self, link: Member) -> None:
        with directory(self._target, link.names[:-1], make=True) as parent:
            os.symlink(link.target, link.names[-1], dir_fd=parent)
            times = (link.modified_ns, link.modified_ns)
            os.utime(link.names[-1], ns=times, dir_fd=parent, follow_symlinks=False)

    def _finish_directory(self, made: Member) -> None:
        with directory(self._target, made.names, make=True) as descriptor:
            os.utime(descriptor, ns=(made.modified_ns, made.modified_ns))
            os.fchmod(descriptor, made.mode)


def _create(parent: int, name: bytes) -> tuple[int, bool]:
    """Create a file anew; a file of an earlier member gives way, as the later one is the better reading of it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with contextlib.suppress(FileExistsError):
        return open_file(parent, name, flags, 0o600), False
    if not stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        raise FileExistsError("a file takes the place of something else")
    os.unlink(name, dir_fd=parent)
    return open_file(parent, name, flags, 0o600), True


def _copy(source: Reader, descriptor: int, size: int) -> None:
    left = size
    while left:
        piece = read_exactly(source, min(PIECE, left))
        left -= len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
    read_exactly(source, -size % BLOCK)
