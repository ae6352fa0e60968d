"""Where is a restore made, and how does it come into the workspace? Beside it on the same volume, then renamed."""

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from agent.backup.failures import NotEmptyError
from agent.backup.walk import STAGING_PREFIX
from agent.files.beneath import ROOT, remove_tree

_LONGEST_TICK = 3.0
"""Seconds. FAT notes times to two; every other file system to far less."""


@contextlib.contextmanager
def opened(root: Path) -> Iterator[int]:
    """Open a workspace that has to be empty, but for what a restore that was killed has left: that is removed.

    Raises NotEmptyError, OSError.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, ROOT)
    try:
        remove_staging(descriptor)
        check_empty(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def staged(root: int) -> Iterator[int]:
    """Open a new directory within the workspace, and remove it in the end with all that is still in it."""
    name = STAGING_PREFIX + secrets.token_hex(8).encode()
    os.mkdir(name, 0o700, dir_fd=root)
    descriptor = os.open(name, ROOT, dir_fd=root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        remove_tree(root, name)


def check_empty(root: int) -> None:
    """Raise NotEmptyError if there is anything but staging directories."""
    if any(not name.startswith(STAGING_PREFIX) for name in map(os.fsencode, os.listdir(root))):
        raise NotEmptyError("there are files in the workspace already; nothing was loaded over them")


def move_up(staging: int, root: int) -> None:
    """Rename what was staged into the workspace; all of it or nothing. Raises OSError."""
    moved = []
    try:
        for name in os.listdir(staging):
            os.rename(name, name, src_dir_fd=staging, dst_dir_fd=root)
            moved.append(name)
    except OSError:
        for name in moved:
            os.rename(name, name, src_dir_fd=root, dst_dir_fd=staging)
        raise


def wait_for_tick(directory: int) -> bool:
    """Return once the file system's clock has moved on, so that a change from now on leaves another time than before.

    False when it seems to stand still. Raises OSError.
    """
    os.utime(directory)
    before = os.fstat(directory).st_ctime_ns
    deadline = time.monotonic() + _LONGEST_TICK
    while time.monotonic() < deadline:
        os.utime(directory)
        if os.fstat(directory).st_ctime_ns != before:
            return True
        time.sleep(0.001)
    return False


def remove_staging(root: int) -> None:
    """Remove what a restore that was killed has left; raises OSError."""
    for name in map(os.fsencode, os.listdir(root)):
        if name.startswith(STAGING_PREFIX):
            if stat.S_ISDIR(os.stat(name, dir_fd=root, follow_symlinks=False).st_mode):
                remove_tree(root, name)
            else:
                os.unlink(name, dir_fd=root)
