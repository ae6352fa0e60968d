"""What can be done to one file or directory of the workspace? Blocking calls; the routes run them in threads."""

import contextlib
import os
import secrets
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent import clock
from agent.files.beneath import PathRefusedError, components, directory, open_file, remove_tree

UPLOAD_PREFIX = b".dormouse-upload-"
TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file open for reading."""

    descriptor: int
    size: int
    modified: datetime


class Upload:
    """A new content that becomes the file all at once, or leaves no trace."""

    def __init__(self, root: Path, path: bytes) -> None:
        names = _named(path)
        with contextlib.ExitStack() as stack:
            self._parent = os.dup(stack.enter_context(directory(root, names[:-1], make=True)))
            stack.callback(os.close, self._parent)
            self._name = names[-1]
            self._mode = _replaceable(self._parent, self._name)
            self._temporary = UPLOAD_PREFIX + secrets.token_hex(8).encode()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            self._file = open_file(self._parent, self._temporary, flags)
            stack.pop_all()

    @property
    def created(self) -> bool:
        """Tell whether the file did not exist before."""
        return self._mode is None

    def write(self, data: bytes) -> None:
        """Append bytes; raises OSError, ENOSPC among them."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def commit(self) -> None:
        """Put the new content in the old one's place; the mode of the old one is kept."""
        if self._mode is not None:
            os.fchmod(self._file, self._mode)
        os.replace(self._temporary, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)

    def close(self) -> None:
        """Remove what was not committed."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary, dir_fd=self._parent)
        os.close(self._file)
        os.close(self._parent)


def look(root: Path, path: bytes) -> OpenFile | list[dict[str, Any]]:
    """Open a file, or list a directory; raises OSError, PathRefusedError."""
    names = components(path)
    if not names:
        return _list(root, names)
    with directory(root, names[:-1]) as parent:
        # O_NONBLOCK: a FIFO must not hold the thread until somebody writes to it.
        descriptor = open_file(parent, names[-1], os.O_RDONLY | os.O_NONBLOCK)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return OpenFile(descriptor, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        return _list(root, names)
    raise PathRefusedError("this is neither a file nor a directory")


def remove(root: Path, path: bytes, *, recursive: bool) -> None:
    """Remove a file, a link, or with `recursive` a directory; raises OSError, PathRefusedError."""
    names = _named(path)
    with directory(root, names[:-1]) as parent:
        status = os.stat(names[-1], dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(names[-1], dir_fd=parent)
        elif recursive:
            remove_tree(parent, names[-1])
        else:
            raise IsADirectoryError


def _list(root: Path, names: tuple[bytes, ...]) -> list[dict[str, Any]]:
    with directory(root, names) as descriptor, os.scandir(descriptor) as entries:
        return sorted(filter(None, map(_describe, entries)), key=lambda entry: str(entry["name"]))


def _describe(entry: "os.DirEntry[str]") -> dict[str, Any] | None:
    if os.fsencode(entry.name).startswith(UPLOAD_PREFIX):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return {
        # JSON is UTF-8; a name that is not shows a replacement and can be reached by its bytes alone.
        "name": os.fsencode(entry.name).decode("utf-8", "replace"),
        "type": TYPES.get(stat.S_IFMT(status.st_mode), "other"),
        "size": status.st_size,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "modifiedTime": clock.timestamp(modified),
    }


def _named(path: bytes) -> tuple[bytes, ...]:
    names = components(path)
    if not names:
        raise PathRefusedError("the path must name something in the workspace, not the workspace itself")
    return names


def _replaceable(parent: int, name: bytes) -> int | None:
    """Return the mode of the file to be replaced, None if there is none; raises if it is no file."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise PathRefusedError("this is a link or a special file, which is never written through")
    return stat.S_IMODE(status.st_mode)
