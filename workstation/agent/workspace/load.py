"""How does a backup become the workspace? Into a staging directory on the same volume, verified, then renamed; blocking.

Until everything has been verified nothing appears in the workspace, and a failed load leaves nothing behind.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import zstandard

from agent.backup.failures import FULL, ArchiveRefusedError, DoesNotFitError, NotEmptyError
from agent.backup.restoring.staging import move_up, remove_staging
from agent.backup.walk import STAGING_PREFIX
from agent.files.beneath import ROOT
from agent.workspace.extract import Extractor, Limits
from agent.workspace.grants import Backup
from agent.workspace.save import Saved
from agent.workspace.signature import read_signature
from agent.workspace.transfer import Counted, Source, download

# Level 3 never needs more than 2 MiB; a frame that asks for more wants our memory.
LARGEST_WINDOW = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came in; it is what the store holds, so the workspace is clean."""

    saved: Saved
    total_bytes: int


def load(root: Path, backup: Backup) -> Loaded:
    """Load a backup; raises WorkspaceError or OSError, the workspace then empty."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, ROOT)
    try:
        remove_staging(descriptor)
        if os.listdir(descriptor):
            raise NotEmptyError("there are files in the workspace already; nothing was loaded over them")
        try:
            extractor = _stage(descriptor, backup, _limits(root))
        finally:
            remove_staging(descriptor)
    finally:
        os.close(descriptor)
    signature = read_signature(root)
    saved = Saved(backup.sha256, backup.size, extractor.files, signature)
    return Loaded(saved, extractor.total_bytes)


def _stage(root: int, backup: Backup, limits: Limits) -> Extractor:
    name = STAGING_PREFIX + secrets.token_hex(8).encode()
    os.mkdir(name, 0o700, dir_fd=root)
    staging = os.open(name, ROOT, dir_fd=root)
    extractor = Extractor(staging, limits)
    try:
        _extract_verified(extractor, backup)
        extractor.finish()
        move_up(staging, root)
        return extractor
    except OSError as error:
        if error.errno in FULL:
            raise DoesNotFitError(extractor.total_bytes, limits.room) from error
        raise
    finally:
        os.close(staging)


def _extract_verified(extractor: Extractor, backup: Backup) -> None:
    counted = Counted(download(backup.grant, backup.size))
    compressed = Source(counted)
    try:
        decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        with decompressor.stream_reader(compressed, closefd=False) as plain:  # type: ignore[arg-type]
            extractor.run(plain)
        compressed.drain()
    except zstandard.ZstdError as error:
        raise ArchiveRefusedError("the backup is not a zstd stream of ours, or it is damaged") from error
    if (counted.size, counted.sha256) != (backup.size, backup.sha256.lower()):
        raise ArchiveRefusedError("the backup's size or sha256 is not what was promised: it is damaged")


def _limits(root: Path) -> Limits:
    """Return limits that never exceed what the volume can hold."""
    return Limits(room=shutil.disk_usage(root).total)
