"""What is in the workspace, in a fixed order? Never follows a link; leaves out what is the agent's own."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from agent.backup.failures import EXHAUSTED
from agent.files.beneath import PathRefusedError, enter
from agent.files.store import UPLOAD_PREFIX

STAGING_PREFIX = b".dormouse-staging-"
DEEPEST = 128
LONGEST_PATH = 4096

LeavesOut = Callable[[bytes, bool], bool]
"""Is asked with a path, and whether that is a directory; nothing in a directory that is left out is looked at."""


@dataclass(slots=True)
class Entry:
    """One file, directory or link, with its directory still open."""

    path: bytes
    parent: int
    name: bytes
    status: os.stat_result

    @property
    def is_file(self) -> bool:
        """Tell a regular file."""
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_directory(self) -> bool:
        """Tell a directory."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        """Tell a symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)


@dataclass(slots=True)
class _Level:
    """An open directory, and what is still to be looked at in it."""

    descriptor: int
    prefix: bytes
    left: Iterator[tuple[bytes, os.DirEntry[str]]]


class Walk:
    """Goes through a workspace; `skipped` names what cannot be entered, and why."""

    def __init__(self, root: Path, leaves_out: LeavesOut | None = None) -> None:
        self._root = root
        self._leaves_out = leaves_out
        self.skipped: list[tuple[bytes, str]] = []

    def entries(self) -> Iterator[Entry]:
        """Yield directories before their content; use an entry before asking for the next."""
        levels = [_list(os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), b"")]
        try:
            while levels:
                for entry in self._within(levels[-1], len(levels)):
                    yield entry
                    if stat.S_ISDIR(entry.status.st_mode) and self._enter(entry, levels):
                        break
                else:
                    os.close(levels.pop().descriptor)
        finally:
            for level in levels:
                os.close(level.descriptor)

    def skip(self, path: bytes, why: str) -> None:
        """Note something that is left out."""
        self.skipped.append((path, why))

    def _within(self, level: _Level, depth: int) -> Iterator[Entry]:
        descriptor, prefix, leaves_out = level.descriptor, level.prefix, self._leaves_out
        for name, found in level.left:
            if name.startswith(b".dormouse-") and _own(name, depth):
                continue
            path = prefix + name
            try:
                status = found.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._skip_unless_exhausted(path, error, "it cannot be looked at")
                continue
            if leaves_out and leaves_out(path, stat.S_ISDIR(status.st_mode)):
                continue
            if len(path) > LONGEST_PATH or depth > DEEPEST:
                self.skip(path, "its path is too long or too deep")
                continue
            yield Entry(path, descriptor, name, status)

    def _enter(self, entry: Entry, levels: list[_Level]) -> bool:
        try:
            levels.append(_list(enter(entry.parent, entry.name), entry.path + b"/"))
        except (FileNotFoundError, NotADirectoryError, PathRefusedError):
            return False  # it was removed or replaced meanwhile
        except OSError as error:
            self._skip_unless_exhausted(entry.path, error, "it cannot be read")
            return False
        return True

    def _skip_unless_exhausted(self, path: bytes, error: OSError, why: str) -> None:
        if error.errno in EXHAUSTED:
            raise error
        self.skip(path, error.strerror or why)


def _list(descriptor: int, prefix: bytes) -> _Level:
    try:
        with os.scandir(descriptor) as found:
            named = sorted(((os.fsencode(one.name), one) for one in found), key=itemgetter(0))
    except BaseException:
        os.close(descriptor)
        raise
    return _Level(descriptor, prefix, iter(named))


def _own(name: bytes, depth: int) -> bool:
    return name.startswith(UPLOAD_PREFIX) or (depth == 1 and name.startswith(STAGING_PREFIX))
