"""What do the commands do? With a directory as the store, and with a file for what is known since the last time."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.backup.command.index_file import NoIndexError, Owner, owner, write_index
from agent.backup.command.recall import recall
from agent.backup.failures import ArchiveRefusedError, NoObjectError
from agent.backup.form.bounds import MANIFEST_NAME, stem
from agent.backup.form.manifest import Manifest
from agent.backup.index import Index
from agent.backup.progress import Progress
from agent.backup.restoring.fetching import read_manifest, read_packs
from agent.backup.restoring.restore import restore_newest
from agent.backup.restoring.verify import verify
from agent.backup.saving.save import save
from agent.backup.saving.scan import STRANGE
from agent.backup.stores.directory import DirectoryStore

DAMAGED = (ArchiveRefusedError, NoObjectError)
"""What says that a backup is not whole; another failure says nothing of it."""


class NoBackupError(Exception):
    """The store has no such backup, or none that is whole."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a command did, in one sentence, and what went otherwise than it should, each in its own."""

    said: str
    losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """One backup; `stored_bytes` of all the objects that it needs. Of a damaged one nothing else is known."""

    name: str
    written: datetime | None = None
    files: int = 0
    bytes: int = 0
    stored_bytes: int = 0
    damaged: str = ""


class Commands:
    """Everything that can be asked of one store."""

    def __init__(self, store: DirectoryStore, progress: Progress) -> None:
        self._store = store
        self._progress = progress

    def save(self, root: Path, index_file: Path | None) -> Told:
        """Save a workspace, and read back what was stored; raises WorkspaceError, OSError, StoppedError."""
        self._store.remove_partials()
        noted, notes = self._recall(index_file, root)
        base = noted[1] if noted else None
        before = dict(base.paths) if base else {}
        saved = save(root, self._store, self._next_stem(), base, self._progress)
        if saved is None:
            assert noted is not None
            of, index = noted
            if index.paths != before:
                notes += _write(index_file, of, index)
            return Told(f"{of.name}: nothing has changed since", _losses(index.manifest), notes)
        # What lies in the store counts, not what was handed to it.
        read_manifest(self._store, saved.name, saved.sha256)
        for _ in read_packs(self._store, enumerate(saved.packs), self._progress):
            pass
        notes += _write(index_file, owner(saved.name, saved.sha256, root), saved.index)
        manifest = saved.index.manifest
        said = (
            f"{saved.name}: {manifest.files} files, {manifest.bytes} bytes; {saved.stored_bytes} bytes stored"
        )
        return Told(said, _losses(manifest), notes)

    def restore(self, target: Path, backup: str | None, index_file: Path | None) -> Told:
        """Restore the backup that is named, or the newest whole one; raises NoBackupError, WorkspaceError, OSError."""
        candidates = [(name, None) for name in self._candidates(backup)]
        restored = restore_newest(target, self._store, candidates, self._progress)
        manifest = restored.index.manifest
        losses = tuple(f"{one.name} is damaged and was passed over: {one.why}" for one in restored.refused)
        notes = _write(index_file, owner(restored.name, restored.sha256, target), restored.index)
        said = f"{restored.name}: {manifest.files} files, {manifest.bytes} bytes restored"
        return Told(said, losses, notes)

    def verify(self, backup: str | None, every: bool) -> list[tuple[str, str]]:
        """Return (name, what is wrong or "") of the backup that is named, the newest, or every one, oldest first."""
        names = self._candidates(backup)
        return [(name, self._whats_wrong(name)) for name in (names[::-1] if every else names[:1])]

    def listed(self) -> list[Listed]:
        """Return every backup, the oldest first."""
        return [self._listed(name) for name in reversed(self._manifests())]

    def _whats_wrong(self, name: str) -> str:
        try:
            verify(self._store, name, None, self._progress)
        except DAMAGED as error:
            return str(error)
        return ""

    def _listed(self, name: str) -> Listed:
        try:
            found = read_manifest(self._store, name, None)
        except DAMAGED as error:
            return Listed(name, damaged=str(error))
        manifest = found.manifest
        stored = found.size + sum(pack.size for pack in manifest.packs)
        return Listed(name, manifest.written, manifest.files, manifest.bytes, stored)

    def _manifests(self) -> list[str]:
        return [name for name, _ in self._store.names() if MANIFEST_NAME.fullmatch(name)][::-1]

    def _candidates(self, backup: str | None) -> list[str]:
        found = self._manifests()
        if not found:
            raise NoBackupError("there is no backup in the store")
        if backup is None:
            return found
        named = [name for name in found if name.startswith(backup)]
        if len(named) != 1:
            which = f"fits {len(named)} backups" if named else "is no backup"
            raise NoBackupError(f"{backup} {which} in the store; `list` names them")
        return named

    def _next_stem(self) -> str:
        # Also after those that no manifest names: a save that failed is not the last word on its number.
        newest = max(((int(name[:8]), int(name[9:17])) for name, _ in self._store.names()), default=(1, 0))
        return stem(newest[0], newest[1] + 1, secrets.token_hex(4))

    def _recall(self, file: Path | None, root: Path) -> tuple[tuple[Owner, Index] | None, tuple[str, ...]]:
        if file is None:
            return None, ()
        try:
            return recall(file, self._store, root), ()
        except NoIndexError as error:
            return None, (f"everything was read again, as {file} does not help: {error}",)


def _write(file: Path | None, of: Owner, index: Index) -> tuple[str, ...]:
    if file is not None:
        try:
            write_index(file, of, index)
        except OSError as error:
            return (f"the next save will read everything: {file} could not be written: {error.strerror}",)
    return ()


def _losses(manifest: Manifest) -> tuple[str, ...]:
    skipped = [f"skipped: {path}: {why}" for path, why in manifest.skipped if why != STRANGE]
    changed = [f"changed while it was read: {path}" for path in manifest.changed]
    return (*skipped, *changed)
