"""What is in the workspace, in a fixed order? Never follows a link; leaves out what is the agent's own."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.files.beneath import enter
from agent.files.store import UPLOAD_PREFIX

STAGING_PREFIX = b".dormouse-staging-"
DEEPEST = 128
LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
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


class Walk:
    """Goes through a workspace; `skipped` names what cannot be entered, and why."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.skipped: list[tuple[bytes, str]] = []

    def entries(self) -> Iterator[Entry]:
        """Yield directories before their content; use an entry before asking for the next."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield from self._within(descriptor, b"", 1)
        finally:
            os.close(descriptor)

    def skip(self, path: bytes, why: str) -> None:
        """Note something that is left out."""
        self.skipped.append((path, why))

    def _within(self, parent: int, prefix: bytes, depth: int) -> Iterator[Entry]:
        for name in sorted(os.fsencode(name) for name in os.listdir(parent)):
            if _own(name, depth):
                continue
            path = prefix + name
            try:
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if len(path) > LONGEST_PATH or depth > DEEPEST:
                self.skip(path, "its path is too long or too deep")
                continue
            entry = Entry(path, parent, name, status)
            yield entry
            if entry.is_directory:
                yield from self._enter(entry, depth)

    def _enter(self, entry: Entry, depth: int) -> Iterator[Entry]:
        try:
            descriptor = enter(entry.parent, entry.name)
        except FileNotFoundError:
            return
        except OSError as error:
            self.skip(entry.path, error.strerror or "it cannot be read")
            return
        try:
            yield from self._within(descriptor, entry.path + b"/", depth + 1)
        finally:
            os.close(descriptor)


def _own(name: bytes, depth: int) -> bool:
    return name.startswith(UPLOAD_PREFIX) or (depth == 1 and name.startswith(STAGING_PREFIX))
