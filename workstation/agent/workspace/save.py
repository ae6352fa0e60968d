"""How is a workspace saved? tar, compressed and uploaded in one stream, in bounded memory; blocking.

The upload is chunked, so nothing is spooled: a spool would need room that a full workspace does not have.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from agent.workspace.archive import Archive
from agent.workspace.grants import Grant
from agent.workspace.signature import Signature, read_signature
from agent.workspace.transfer import Counted, upload

LEVEL = 3


@dataclass(frozen=True, slots=True)
class Saved:
    """What the store holds now, and the state of the workspace that it is of."""

    sha256: str
    size: int
    files: int
    signature: Signature
    changed: tuple[str, ...] = ()
    skipped: tuple[dict[str, str], ...] = ()


def save(root: Path, grant: Grant) -> Saved:
    """Save a workspace; raises OSError or WorkspaceError."""
    # Taken first: whatever changes from here on leaves the workspace dirty.
    signature = read_signature(root)
    archive = Archive(root)
    counted = Counted(compress(archive.pieces()))
    upload(grant, iter(counted))
    changed, skipped = tuple(archive.changed), tuple(archive.skipped)
    return Saved(counted.sha256, counted.size, archive.files, signature, changed, skipped)


def compress(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield one zstd frame."""
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
    for piece in pieces:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()
