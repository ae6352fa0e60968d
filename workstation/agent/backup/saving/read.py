"""What is in one file or link, as of one moment? A file is read until it stood still, three times at most."""

import os
import stat
import time
from collections.abc import Callable

from agent.backup.form.bounds import AVERAGE_PIECE
from agent.backup.form.entry import Entry, Piece
from agent.backup.index import Facts, Known, is_same, is_settled
from agent.backup.saving.pieces import Content, cut
from agent.files.beneath import open_file

ATTEMPTS = 3

Take = Callable[[Piece, Content], None]
"""Is given each piece; its content is valid for the time of the call."""


class NotSavedError(OSError):
    """It can be read, and is no part of a backup all the same; its text says why."""


def read_file(parent: int, name: bytes, path: bytes, take: Take, most: int) -> tuple[Known, bool]:
    """Return what is known of a file now, and whether it stood still.

    Raises OSError, LinkRefusedError, NotSavedError for one of more than `most` bytes, and what `take` raises.

    One that never stood still is known as it was read last, with facts from before that, so that it is read again.
    """
    # A FIFO that took the place of the file would keep a reader waiting for its writer.
    descriptor = open_file(parent, name, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for _ in range(ATTEMPTS):
            known, still = _attempt(descriptor, path, take, most)
            if still:
                break
        return known, still
    finally:
        os.close(descriptor)


def read_link(parent: int, name: bytes, path: bytes) -> Known:
    """Return what is known of a link now; raises OSError, NotSavedError."""
    began = time.time_ns()
    facts = Facts.of(os.stat(name, dir_fd=parent, follow_symlinks=False))
    if not stat.S_ISLNK(facts.mode):
        raise NotSavedError("something else took its place")
    entry = Entry(path, "link", 0o777, facts.mtime_ns, target=os.readlink(name, dir_fd=parent))
    return Known(facts, entry, is_settled(facts, began))


def _attempt(descriptor: int, path: bytes, take: Take, most: int) -> tuple[Known, bool]:
    began = time.time_ns()
    facts = Facts.of(os.fstat(descriptor))
    if not stat.S_ISREG(facts.mode):
        raise NotSavedError("something else took its place")
    if facts.size > most:
        raise NotSavedError("with it the workspace would be larger than a backup can hold")
    pieces, still = _read(descriptor, facts, take)
    size = sum(piece.size for piece in pieces)
    entry = Entry(path, "file", facts.mode & 0o777, facts.mtime_ns, size, pieces)
    return Known(facts, entry, still and is_settled(facts, began)), still


def _read(descriptor: int, facts: Facts, take: Take) -> tuple[tuple[Piece, ...], bool]:
    if facts.size > AVERAGE_PIECE:
        pieces = []
        for piece, content in cut(descriptor, facts.size):
            take(piece, content)
            pieces.append(piece)
        return tuple(pieces), is_same(facts, os.fstat(descriptor))
    found = list(cut(descriptor, facts.size))
    still = is_same(facts, os.fstat(descriptor))
    for piece, content in found:
        take(piece, content)
    return tuple(piece for piece, _ in found), still
