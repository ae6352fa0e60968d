"""How are backups kept in a directory? A file for each object, as in a copy of a bucket; none is ever overwritten."""

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from agent.backup.failures import (
    FULL,
    GrantRefusedError,
    NameTakenError,
    NoObjectError,
    StoreUnreachableError,
    WorkspaceError,
)
from agent.backup.form.bounds import MANIFEST_NAME, PACK_NAME
from agent.files.beneath import LinkRefusedError, directory, open_file

PARTIAL_PREFIX = ".partial-"
"""What a put that was killed leaves behind; no name of an object begins so."""

FORGOTTEN = 24 * 3600
"""Seconds after which nobody is still writing what is named so."""

_PIECE = 2**20
_FOLDER = re.compile(r"\d{8}")
_PARTIAL = re.compile(re.escape(PARTIAL_PREFIX) + "[0-9a-f]{16}")


class DirectoryStore:
    """A directory as Store and Listing; several processes may use one at the same time.

    Names are those of packs and manifests alone, and no link below the directory is followed: nothing leaves it.
    Needs a file system with hard links.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, content: bytes) -> None:
        """Create an object, on the disk when this returns; raises as Store says."""
        folder, base = _split(name)
        with _failures(name):
            _make(self._root)
            with directory(self._root, [folder], make=True) as within:
                taken = not _create(within, base, content)
                if taken and not _holds(within, base, content):
                    raise NameTakenError(f"{name} is there already, with another content")
                # Also when it was there: whoever made it may not have come as far as this.
                os.fsync(within)
            _sync(self._root)

    def get(self, name: str, most: int) -> Iterator[bytes]:
        """Yield the content; raises as Store says."""
        folder, base = _split(name)
        seen = 0
        with (
            _failures(name),
            directory(self._root, [folder]) as within,
            open(open_file(within, base, os.O_RDONLY), "rb", buffering=0) as file,
        ):
            while seen <= most and (piece := file.read(_PIECE)):
                seen += len(piece)
                yield piece

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield (name, size) of every object, in the order of the names; of a directory that is not there, none."""
        for name, status in self._objects():
            if stat.S_ISREG(status.st_mode):
                yield name, status.st_size

    def remove_partials(self) -> None:
        """Remove what puts that were killed have left, if that was long ago; what cannot be removed stays."""
        for folder, base in self._files():
            with contextlib.suppress(OSError, LinkRefusedError):
                if _PARTIAL.fullmatch(base):
                    with directory(self._root, [os.fsencode(folder)]) as within:
                        status = os.stat(base, dir_fd=within, follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode) and status.st_mtime < time.time() - FORGOTTEN:
                            os.unlink(base, dir_fd=within)

    def _objects(self) -> Iterator[tuple[str, os.stat_result]]:
        for folder, base in self._files():
            name = f"{folder}/{base}"
            if PACK_NAME.fullmatch(name) or MANIFEST_NAME.fullmatch(name):
                with contextlib.suppress(FileNotFoundError):
                    yield name, (self._root / name).lstat()

    def _files(self) -> Iterator[tuple[str, str]]:
        """Yield (folder, name) of everything in the folders of saves; beside them may lie what nobody may enter."""
        for folder in sorted(filter(_FOLDER.fullmatch, _listed(self._root))):
            if not (self._root / folder).is_symlink():
                yield from ((folder, base) for base in sorted(_listed(self._root / folder)))


def _split(name: str) -> tuple[bytes, bytes]:
    if not (PACK_NAME.fullmatch(name) or MANIFEST_NAME.fullmatch(name)):
        raise NoObjectError(f"{name!r} is no name of a pack or a manifest")
    folder, _, base = os.fsencode(name).partition(b"/")
    return folder, base


def _create(within: int, name: bytes, content: bytes) -> bool:
    """Create a file whole or not at all; False where the name is taken."""
    draft = (PARTIAL_PREFIX + secrets.token_hex(8)).encode()
    with open(open_file(within, draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # Unlike a rename, a link never takes the place of what is there.
            os.link(draft, name, src_dir_fd=within, dst_dir_fd=within)
        except FileExistsError:
            return False
        finally:
            os.unlink(draft, dir_fd=within)
    return True


def _holds(within: int, name: bytes, content: bytes) -> bool:
    with open(open_file(within, name, os.O_RDONLY), "rb") as file:
        if os.fstat(file.fileno()).st_size != len(content):
            return False
        return file.read() == content


def _make(path: Path) -> None:
    """Make a directory of one's own, and those above it that are missing, so that they last."""
    if not path.is_dir():
        _make(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _listed(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _failure(str(path), error) from error


@contextlib.contextmanager
def _failures(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, LinkRefusedError) as error:
        raise _failure(name, error) from error


def _failure(name: str, error: OSError | LinkRefusedError) -> WorkspaceError:
    if isinstance(error, FileNotFoundError):
        return NoObjectError(f"{name} is not in the store")
    if isinstance(error, PermissionError | NotADirectoryError | LinkRefusedError):
        return GrantRefusedError(f"the store refuses {name}: {error}")
    if isinstance(error, OSError) and error.errno in FULL:
        return StoreUnreachableError(f"the store has no room left for {name}")
    return StoreUnreachableError(f"the store failed at {name}: {error}")
