"""What does a backup hold? Its manifest and all its entries, read and checked as a whole before anything is made of them.

What is checked here no later step has to ask again: that every entry lies in a directory that comes before it, that no
path comes twice, and that the sums are those of the manifest.
"""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass

from agent.backup.failures import ArchiveRefusedError
from agent.backup.form.bounds import MOST_BYTES, MOST_ENTRIES, SMALLEST_PIECE
from agent.backup.form.entry import Entry, decode_entry
from agent.backup.form.manifest import Manifest
from agent.backup.progress import Progress
from agent.backup.restoring.fetching import read_manifest, read_packs
from agent.backup.restoring.unpacking import Blob
from agent.backup.stores.contract import Store
from agent.backup.walk import STAGING_PREFIX
from agent.files.store import UPLOAD_PREFIX

_LINE_VALUES = 10_000
_BYTES_PER_VALUE = 32
"""A path and a target may hold commas, and a piece is two values in more than 70 bytes: this is never too little."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a backup may bring. `room` bounds what is written, in bytes, where the volume's own does not."""

    entries: int = MOST_ENTRIES
    bytes: int = MOST_BYTES
    pieces: int = MOST_ENTRIES + MOST_BYTES // SMALLEST_PIECE
    blobs: int = 4 * pieces
    """In packs, where there may be as many bytes that nobody needs any more, in smaller blobs."""
    room: int | None = None


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Contents:
    """A backup whose entries have been checked; its files' pieces have not been read yet."""

    manifest: Manifest
    size: int
    sha256: str
    entries: list[Entry]
    blobs: dict[bytes, int]
    """Which pack, by its place in the manifest, holds a blob, of the packs that hold lists."""


def read_contents(
    store: Store, name: str, sha256: str | None, progress: Progress, limits: Limits
) -> Contents:
    """Read a manifest and its lists; raises ArchiveRefusedError, StoppedError, or what the store raises."""
    found = read_manifest(store, name, sha256)
    manifest = found.manifest
    if manifest.entries > limits.entries or manifest.bytes > limits.bytes:
        raise ArchiveRefusedError(f"it holds more than {limits.entries} entries or {limits.bytes} bytes")
    lists, blobs = _Lists(manifest, limits), dict[bytes, int]()
    with closing(read_blobs(store, manifest, progress, limits, of_lists=True)) as frames:
        for place, read in frames:
            lists.take(read)
            for blob in read:
                blobs.setdefault(blob.id, place)
    entries = lists.joined()
    _check_order(entries)
    _check_sums(entries, manifest)
    return Contents(manifest, found.size, found.sha256, entries, blobs)


def read_blobs(
    store: Store, manifest: Manifest, progress: Progress, limits: Limits, *, of_lists: bool
) -> Generator[tuple[int, list[Blob]], None, None]:
    """Yield (place of its pack, verified blobs) for each frame of the one kind of packs; close it when leaving early.

    Raises ArchiveRefusedError, StoppedError, or what the store raises.
    """
    count = 0
    packs = [one for one in enumerate(manifest.packs) if one[1].holds_lists == of_lists]
    with closing(read_packs(store, packs, progress)) as frames:
        for place, blobs in frames:
            count += len(blobs)
            if count > limits.blobs:
                raise ArchiveRefusedError(f"its packs hold more than {limits.blobs} blobs")
            yield place, blobs


class _Lists:
    """The lists of a manifest, as they turn up in its packs."""

    def __init__(self, manifest: Manifest, limits: Limits) -> None:
        self.missing = set(manifest.lists)
        self._order = manifest.lists
        self._found: dict[bytes, list[Entry]] = {}
        self._entries_left = manifest.entries
        self._pieces_left = limits.pieces
        if len(self.missing) != len(self._order):
            raise ArchiveRefusedError("one of its lists comes twice")

    def take(self, blobs: Iterable[Blob]) -> None:
        for blob in blobs:
            if blob.id in self.missing:
                self.missing.remove(blob.id)
                self._found[blob.id] = [self._entry(line) for line in _lines(blob.content)]

    def joined(self) -> list[Entry]:
        if self.missing:
            raise ArchiveRefusedError(f"{len(self.missing)} of its lists are missing")
        return [entry for id_ in self._order for entry in self._found[id_]]

    def _entry(self, line: bytes) -> Entry:
        if line.count(b",") > _LINE_VALUES + len(line) // _BYTES_PER_VALUE:
            raise ArchiveRefusedError("a line of a list holds more than an entry")
        entry = decode_entry(line)
        self._entries_left -= 1
        self._pieces_left -= len(entry.pieces)
        if self._entries_left < 0 or self._pieces_left < 0:
            raise ArchiveRefusedError(
                "its lists hold more than its manifest says, or more pieces than may be"
            )
        return entry


def _lines(content: memoryview) -> list[bytes]:
    plain = bytes(content)
    if not plain.endswith(b"\n"):
        raise ArchiveRefusedError("a list breaks off")
    return plain[:-1].split(b"\n")


def _check_order(entries: Iterable[Entry]) -> None:
    """Refuse what a walk cannot have found: entries in another order, twice, or beneath what is no directory."""
    before, directories = b"", {b""}
    for entry in entries:
        # A walk takes names in byte order, so in the order of the whole paths '/' comes before all that a name may hold.
        place = entry.path.replace(b"/", b"\0")
        if place <= before:
            raise ArchiveRefusedError("its entries are not in order, or a path comes twice")
        before = place
        parent, _, name = entry.path.rpartition(b"/")
        if parent not in directories:
            raise ArchiveRefusedError("an entry lies beneath something that is no directory of it")
        if name.startswith(UPLOAD_PREFIX) or (not parent and name.startswith(STAGING_PREFIX)):
            raise ArchiveRefusedError("an entry has a name that only the agent's own files have")
        if entry.kind == "directory":
            directories.add(entry.path)


def _check_sums(entries: Iterable[Entry], manifest: Manifest) -> None:
    files = [entry.size for entry in entries if entry.kind == "file"]
    if (len(files), sum(files)) != (manifest.files, manifest.bytes):
        raise ArchiveRefusedError("its files are not as many, or not as large, as its manifest says")
    if sum(1 for _ in entries) != manifest.entries:
        raise ArchiveRefusedError("its entries are not as many as its manifest says")
