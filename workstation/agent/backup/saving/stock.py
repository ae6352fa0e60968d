"""Which blobs need no storing? Those of the packs that are kept, apart for files and for lists.

Apart, because a restore reads the lists before it knows the files: a file that holds the very bytes of a list is
stored with the files all the same.
"""

import hashlib
from collections.abc import Iterable

from agent.backup.form.entry import Entry, Piece
from agent.backup.form.manifest import Pack
from agent.backup.index import Index
from agent.backup.saving.packing import Packs
from agent.backup.saving.pieces import Content


class Stock:
    """The blobs of the last backup without its retired packs, and the packs of this save."""

    def __init__(self, base: Index | None, retired: frozenset[int], packs: Packs) -> None:
        self._before = base.manifest.packs if base else ()
        self._packs = packs
        self.files: dict[bytes, int] = {}
        self.lists: dict[bytes, int] = {}
        """Which of the last backup's packs holds a blob, by its place."""
        for id_, place in base.blobs.items() if base else ():
            if place not in retired:
                (self.lists if self._before[place].holds_lists else self.files)[id_] = place

    def holds(self, entry: Entry) -> bool:
        """Tell whether a file need not be read again: all its pieces are held."""
        return all(piece.id in self.files for piece in entry.pieces)

    def take(self, piece: Piece, content: Content) -> None:
        """Store a piece of a file, unless it is held."""
        if piece.id not in self.files:
            self._packs.add(piece.id, content)

    def take_list(self, content: bytes) -> bytes:
        """Store a list, unless it is held, and return its name."""
        id_ = hashlib.sha256(content).digest()
        if id_ not in self.lists:
            self._packs.add(id_, content)
        return id_

    def joined(
        self, entries: Iterable[Entry], lists: Iterable[bytes]
    ) -> tuple[tuple[Pack, ...], dict[bytes, int]]:
        """Return the packs that the entries and lists need, with the new ones last, and which one holds what."""
        used = {self.files.get(piece.id, -1) for entry in entries for piece in entry.pieces}
        used |= {self.lists.get(id_, -1) for id_ in lists}
        places = {place: number for number, place in enumerate(sorted(used - {-1}))}
        blobs = {id_: places[place] for id_, place in self.lists.items() if place in places}
        for id_, place in self._packs.blobs.items():
            blobs[id_] = len(places) + place
        # Last: where a list and a file are the same bytes, it is the list that the next save stores again.
        blobs |= {id_: places[place] for id_, place in self.files.items() if place in places}
        return (*(self._before[place] for place in places), *self._packs.packs), blobs
