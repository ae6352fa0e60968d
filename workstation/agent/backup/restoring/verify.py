"""Is a backup whole? Every byte of it is read and checked, as a restore does, and no file is written."""

from contextlib import closing
from dataclasses import dataclass

from agent.backup.form.manifest import Manifest
from agent.backup.progress import Progress
from agent.backup.restoring.contents import LIMITS, Limits, read_blobs, read_contents
from agent.backup.restoring.pending import Pending
from agent.backup.stores.contract import Store


@dataclass(frozen=True, slots=True)
class Verified:
    """A backup that can be restored; `size` and `sha256` are the manifest object's."""

    name: str
    sha256: str
    size: int
    manifest: Manifest
    stored_bytes: int
    """The sizes of all its objects, the manifest among them; other backups may have some of them too."""


def verify(
    store: Store,
    name: str,
    sha256: str | None,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> Verified:
    """Read one backup whole; raises ArchiveRefusedError, StoppedError, or what the store raises."""
    progress = progress or Progress()
    contents = read_contents(store, name, sha256, progress, limits)
    pending = Pending(contents.entries)
    with closing(read_blobs(store, contents.manifest, progress, limits, of_lists=False)) as frames:
        for _, blobs in frames:
            for blob in blobs:
                pending.take(blob.id, len(blob.content))
                progress.bytes += len(blob.content)
    pending.finish()
    stored = contents.size + sum(pack.size for pack in contents.manifest.packs)
    return Verified(name, contents.sha256, contents.size, contents.manifest, stored)
