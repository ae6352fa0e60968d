"""Which pieces need no room? Those of zeros alone: they become holes, which take nothing on the disk."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from agent.backup.form.bounds import LARGEST_PIECE
from agent.backup.form.entry import Entry

_ZEROS = bytes(LARGEST_PIECE)


def is_hole(content: memoryview) -> bool:
    """Tell whether there are only zeros; quick where there are not."""
    return not content[0] and not content[-1] and content.tobytes() == _ZEROS[: len(content)]


def exceeds(entries: Iterable[Entry], room: int) -> int | None:
    """Return how many bytes, or more, the files need on the disk if that is more than `room`, else None.

    Asks nothing of the store: a piece of zeros is known by its name, which is worked out only if there is no room
    for all the others and it.
    """
    pieces = [piece for entry in entries for piece in entry.pieces]
    if sum(piece.size for piece in pieces) <= room:
        return None
    needed = 0
    for piece in pieces:
        needed += 0 if piece.id == _id_of_zeros(piece.size) else piece.size
        if needed > room:
            return needed
    return None


@lru_cache(1024)
def _id_of_zeros(size: int) -> bytes:
    return hashlib.sha256(memoryview(_ZEROS)[:size]).digest()
