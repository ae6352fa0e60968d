"""Where is a file cut, and what are its pieces called? Where its content says so, so that an insertion moves no other cut.

Only `read` touches the file: a user's file is never mapped, because one that is cut short would end the process.
"""

import hashlib
import os
from collections.abc import Iterator
from functools import cache

from pyfastcdc import FastCDC

from agent.backup.form.bounds import AVERAGE_PIECE, LARGEST_PIECE, SMALLEST_PIECE
from agent.backup.form.entry import Piece

Content = bytes | memoryview

LARGE_HOLE = 2 * LARGEST_PIECE
"""A hole from here on is not read; a smaller one is content like any other."""
_ZEROS = memoryview(bytes(LARGEST_PIECE))


def cut(descriptor: int, size: int) -> Iterator[tuple[Piece, Content]]:
    """Yield the pieces of the first `size` bytes; a content is valid until the next is asked for. Raises OSError.

    Ends early where the file does, unless that lies in a hole.
    """
    at = 0
    for start, end in _large_holes(descriptor, size):
        yield from _cut_data(descriptor, at, start)
        yield from _cut_hole(end - start)
        at = end
    yield from _cut_data(descriptor, at, size)


def read_whole(descriptor: int, start: int, size: int) -> bytes:
    """Return up to `size` bytes from `start`, fewer only where the file ends."""
    content = os.pread(descriptor, size, start)
    while 0 < len(content) < size:
        more = os.pread(descriptor, size - len(content), start + len(content))
        if not more:
            break
        content += more
    return content


def _cut_data(descriptor: int, start: int, end: int) -> Iterator[tuple[Piece, Content]]:
    if end - start <= AVERAGE_PIECE:
        content = read_whole(descriptor, start, end - start)
        if content:
            yield _named(content)
        return
    cutter = FastCDC(AVERAGE_PIECE, min_size=SMALLEST_PIECE, max_size=LARGEST_PIECE, normalized_chunking=2)
    for chunk in cutter.cut_stream(_Part(descriptor, start, end)):
        yield _named(chunk.data)


def _named(content: Content) -> tuple[Piece, Content]:
    return Piece(hashlib.sha256(content).digest(), len(content)), content


def _cut_hole(size: int) -> Iterator[tuple[Piece, Content]]:
    for at in range(0, size, LARGEST_PIECE):
        yield _zeros(min(LARGEST_PIECE, size - at))


@cache
def _zeros(size: int) -> tuple[Piece, Content]:
    return _named(_ZEROS[:size])


def _large_holes(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    at = 0 if size >= LARGE_HOLE else size
    while at < size:
        start = _seek(descriptor, at, os.SEEK_HOLE, size)
        at = _seek(descriptor, start, os.SEEK_DATA, size)
        if at - start >= LARGE_HOLE:
            yield start, at


def _seek(descriptor: int, at: int, whence: int, size: int) -> int:
    try:
        return min(size, os.lseek(descriptor, at, whence)) if at < size else size
    except OSError:  # nothing of the kind from here on, or a file system that knows no holes
        return size


class _Part:
    """A part of a file, as a stream that reads only as far as it was asked."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        self._descriptor = descriptor
        self._at = start
        self._end = end

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; 0 at the end of the part, or of the file."""
        read = os.preadv(self._descriptor, [buffer[: self._end - self._at]], self._at)
        self._at += read
        return read
