"""Which pieces of the files are still missing, and where does each belong? One piece may belong to many files."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.backup.failures import ArchiveRefusedError
from agent.backup.form.entry import Entry


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece belongs: how many bytes into which file."""

    entry: Entry
    offset: int


class Pending:
    """The pieces of all entries, until each has been taken."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._places: dict[bytes, list[Place]] = {}
        self._sizes: dict[bytes, int] = {}
        for entry in entries:
            self._add(entry)

    def take(self, id_: bytes, size: int) -> list[Place]:
        """Return where a piece belongs, the first time; raises ArchiveRefusedError if another size was expected."""
        if self._sizes.get(id_, size) != size:
            raise ArchiveRefusedError("a piece of a file is not as long as its entry says")
        return self._places.pop(id_, [])

    def finish(self) -> None:
        """Raise ArchiveRefusedError if pieces are still missing."""
        if self._places:
            raise ArchiveRefusedError(f"{len(self._places)} pieces of its files are in none of its packs")

    def _add(self, entry: Entry) -> None:
        offset = 0
        for piece in entry.pieces:
            if self._sizes.setdefault(piece.id, piece.size) != piece.size:
                raise ArchiveRefusedError("two entries contradict each other about a piece")
            self._places.setdefault(piece.id, []).append(Place(entry, offset))
            offset += piece.size
