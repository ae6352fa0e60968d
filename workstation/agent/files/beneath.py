"""How is a path opened so that it cannot leave the workspace? One component at a time, never through a symbolic link.

Links are refused even where they stay inside: what a link points to can change between the look and the use.
Names are bytes, as the file system has them; `.`, `..` and NUL are refused.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_NOFOLLOW | os.O_CLOEXEC
LONGEST_NAME = 255


class PathRefusedError(Exception):
    """The path is malformed, or a component of it is a symbolic link."""


class LinkRefusedError(PathRefusedError):
    """A component of the path is a symbolic link."""


def components(path: bytes) -> tuple[bytes, ...]:
    """Return the names of a path; raises PathRefusedError."""
    names = tuple(name for name in path.split(b"/") if name)
    for name in names:
        if name in (b".", b".."):
            raise PathRefusedError("the path must not hold '.' or '..'")
        if b"\0" in name or len(name) > LONGEST_NAME:
            raise PathRefusedError("each name must be of 1 to 255 bytes, without NUL")
    return names


@contextlib.contextmanager
def directory(root: Path | int, names: Sequence[bytes], *, make: bool = False) -> Iterator[int]:
    """Open a directory beneath the root, with `make` what is missing; raises OSError, LinkRefusedError."""
    descriptor = os.dup(root) if isinstance(root, int) else os.open(root, ROOT)
    try:
        for name in names:
            inner = enter(descriptor, name, make=make)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def enter(parent: int, name: bytes, *, make: bool = False) -> int:
    """Open one directory within an open one; raises OSError, LinkRefusedError."""
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
    try:
        return os.open(name, DIRECTORY, dir_fd=parent)
    except NotADirectoryError:
        # With O_DIRECTORY the kernel says ENOTDIR for a link too.
        if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise LinkRefusedError(
                "the path leads through a symbolic link, which is never followed"
            ) from None
        raise


def open_file(parent: int, name: bytes, flags: int, mode: int = 0o666) -> int:
    """Open a file within an open directory; raises OSError, LinkRefusedError."""
    try:
        return os.open(name, flags | FILE, mode, dir_fd=parent)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LinkRefusedError("the path is a symbolic link, which is never followed") from None
        raise


def remove_tree(parent: int, name: bytes) -> None:
    """Remove a directory and what is in it, without leaving it; raises OSError."""
    descriptor = enter(parent, name)
    try:
        with os.scandir(descriptor) as entries:
            children = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
        for child, is_directory in children:
            if is_directory:
                remove_tree(descriptor, child)
            else:
                os.unlink(child, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=parent)
