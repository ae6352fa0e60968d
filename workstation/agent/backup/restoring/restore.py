"""How does a backup become the workspace? Into a staging directory on the same volume, verified, then renamed; blocking.

Until everything has been verified nothing appears in the workspace, and a restore that fails leaves nothing behind.
"""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from agent.backup.failures import FULL, ArchiveRefusedError, DoesNotFitError, NoObjectError
from agent.backup.form.entry import Entry
from agent.backup.index import Facts, Index, Known
from agent.backup.progress import Progress
from agent.backup.restoring.contents import LIMITS, Contents, Limits, read_blobs, read_contents
from agent.backup.restoring.holes import exceeds
from agent.backup.restoring.pending import Pending
from agent.backup.restoring.placing import Placing, finish_directories
from agent.backup.restoring.staging import check_empty, move_up, opened, staged, wait_for_tick
from agent.backup.stores.contract import Store


@dataclass(frozen=True, slots=True)
class Refused:
    """A backup that was passed over; `reason` is a failure's, `why` a sentence for people."""

    name: str
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What came in; `size` and `sha256` are the manifest object's. The next save with `index` reads no file."""

    name: str
    sha256: str
    size: int
    index: Index
    refused: tuple[Refused, ...] = ()
    """The newer ones, newest first."""


class NoneWholeError(ArchiveRefusedError):
    """Of several backups none is whole."""

    def __init__(self, refused: Sequence[Refused]) -> None:
        super().__init__("; ".join(f"{one.name}: {one.why}" for one in refused) or "there is no backup")
        self.refused = tuple(refused)


def restore_newest(
    root: Path,
    store: Store,
    candidates: Sequence[tuple[str, str | None]],
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> Restored:
    """Restore the first whole one of (manifest's name, its sha256 or None), which are to be given newest first.

    Only one that is damaged or not there is passed over. Raises NoneWholeError, and what `restore` raises otherwise.
    """
    refused: list[Refused] = []
    for name, sha256 in candidates:
        try:
            restored = restore(root, store, name, sha256, progress, limits)
            return replace(restored, refused=tuple(refused))
        except (ArchiveRefusedError, NoObjectError) as error:
            refused.append(Refused(name, error.reason, str(error)))
    raise NoneWholeError(refused)


def restore(
    root: Path,
    store: Store,
    name: str,
    sha256: str | None,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> Restored:
    """Restore one backup into an empty directory, which is made if it is not there.

    Raises ArchiveRefusedError, NotEmptyError, DoesNotFitError, StoppedError, OSError, or what the store raises; the
    directory is then as empty as it was.
    """
    progress = progress or Progress()
    with opened(root) as descriptor:
        contents = read_contents(store, name, sha256, progress, limits)
        room = _room(descriptor, limits)
        needed = exceeds(contents.entries, room)
        if needed is not None:
            raise DoesNotFitError(needed, room)
        try:
            index = _Restoring(descriptor, store, contents, progress, limits).run(room)
        except OSError as error:
            if error.errno in FULL:
                raise DoesNotFitError(contents.manifest.bytes, room) from error
            raise
        return Restored(name, contents.sha256, contents.size, index)


class _Restoring:
    """One restore, from checked contents to an index."""

    def __init__(
        self, root: int, store: Store, contents: Contents, progress: Progress, limits: Limits
    ) -> None:
        self._root = root
        self._store = store
        self._contents = contents
        self._progress = progress
        self._limits = limits
        self._blobs: dict[bytes, int] = {}
        self._facts: dict[bytes, Facts] = {}

    def run(self, room: int) -> Index:
        with staged(self._root) as staging:
            with Placing(staging, room, self._progress) as placing:
                self._fill(placing)
            self._facts = placing.facts
            settled = wait_for_tick(staging)
            check_empty(self._root)
            move_up(staging, self._root)
            self._facts |= finish_directories(self._root, self._of("directory"))
            self._look_at_moved()
            settled = wait_for_tick(staging) and settled
        entries = self._contents.entries
        known = {entry.path: Known(self._facts[entry.path], entry, settled) for entry in entries}
        return Index(self._contents.manifest, known, {**self._contents.blobs, **self._blobs})

    def _fill(self, placing: Placing) -> None:
        placing.make_directories(self._of("directory"))
        for entry in self._of("file"):
            if not entry.pieces:
                placing.make_empty_file(entry)
        self._place_pieces(placing)
        for entry in self._of("link"):
            placing.make_link(entry)

    def _place_pieces(self, placing: Placing) -> None:
        pending = Pending(self._contents.entries)
        packs = read_blobs(self._store, self._contents.manifest, self._progress, self._limits, of_lists=False)
        with closing(packs) as frames:
            for place_of_pack, blobs in frames:
                for blob in blobs:
                    self._blobs.setdefault(blob.id, place_of_pack)
                    for place in pending.take(blob.id, len(blob.content)):
                        placing.place(place, blob.content)
        pending.finish()

    def _look_at_moved(self) -> None:
        """Look again at files and links that were renamed themselves: to the file system that is a change."""
        for entry in self._contents.entries:
            if entry.kind != "directory" and b"/" not in entry.path:
                self._facts[entry.path] = _renamed(self._root, entry.path, self._facts[entry.path])

    def _of(self, kind: str) -> list[Entry]:
        return [entry for entry in self._contents.entries if entry.kind == kind]


def _renamed(root: int, name: bytes, before: Facts) -> Facts:
    """Return how a file looks after its renaming; as before, which no save will find, if more than that was done to it."""
    try:
        now = Facts.of(os.stat(name, dir_fd=root, follow_symlinks=False))
    except FileNotFoundError:
        return before
    return now if replace(now, ctime_ns=before.ctime_ns) == before else before


def _room(root: int, limits: Limits) -> int:
    volume = os.fstatvfs(root)
    free = volume.f_bavail * volume.f_frsize
    return free if limits.room is None else min(free, limits.room)
