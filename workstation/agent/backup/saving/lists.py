"""Where are the entries of a backup cut into lists? Where their paths say so.

A change of one file then changes one list, and one file more or less moves few other cuts.
"""

from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from agent.backup.form.entry import Entry, encode_entry
from agent.backup.index import Index

FEWEST = 32
MOST = 512
CUT = 15
"""After the fewest, one path in 16 begins the next list. Lists of about one length cost a change the least."""
HEAVIEST = 4 * 1024 * 1024
"""Bytes from which entries are divided among several lists: files of many pieces, or very long paths."""


def cut_lists(entries: Sequence[Entry]) -> Iterator[tuple[Entry, ...]]:
    """Yield the entries of one list after the other; the same entries are cut the same everywhere."""
    start = 0
    while start < len(entries):
        end = min(start + FEWEST, len(entries))
        last = min(start + MOST, len(entries))
        while end < last and crc32(entries[end].path) & CUT:
            end += 1
        yield tuple(entries[start:end])
        start = end


def encode_lists(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield the content of the list of these entries; of several where it would be too heavy."""
    lines: list[bytes] = []
    weight = 0
    for line in map(encode_entry, entries):
        if lines and weight + len(line) > HEAVIEST:
            yield b"".join(lines)
            lines, weight = [], 0
        lines.append(line)
        weight += len(line)
    yield b"".join(lines)


class KnownLists:
    """The lists of the last backup, so that an unchanged one need not be written to know its name."""

    def __init__(self, base: Index | None) -> None:
        lists = base.manifest.lists if base else ()
        groups = list(cut_lists([known.entry for known in base.paths.values()])) if base else []
        # Another version may have cut elsewhere, or one was divided; then all are written, and found to be held or not.
        same = len(groups) == len(lists)
        pairs = zip(groups, lists, strict=True) if same else ()
        self._lists = {group[0].path: (group, id_) for group, id_ in pairs}

    def id_of(self, entries: tuple[Entry, ...]) -> bytes | None:
        """Return the name of the list that holds just these entries, if it is known."""
        group, id_ = self._lists.get(entries[0].path, ((), None))
        return id_ if group == entries else None
