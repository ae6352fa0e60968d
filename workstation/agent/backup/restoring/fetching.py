"""How are the objects of a backup read? Checked against what promised them; packs ahead of their use, in threads.

An object that is not what was promised is read once more before it is called damaged: bytes can be lost on the way
too, and an older backup is a poor exchange for them.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from agent.backup.failures import ArchiveRefusedError
from agent.backup.form.bounds import LARGEST_MANIFEST
from agent.backup.form.manifest import Manifest, Pack, decode_manifest
from agent.backup.progress import Progress
from agent.backup.restoring.in_order import in_order
from agent.backup.restoring.unpacking import Blob, Frame, split, unpack
from agent.backup.stores.contract import Store

DOWNLOADS = 2
UNPACKERS = 2
"""Threads; what they have ready is at most that many packs, and frames, and one more."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FoundManifest:
    """A manifest, and the size and sha256 of its object."""

    manifest: Manifest
    size: int
    sha256: str


def read_manifest(store: Store, name: str, sha256: str | None) -> FoundManifest:
    """Return a manifest, of any sha256 if none is given; raises ArchiveRefusedError, or what the store raises."""
    return _twice(lambda: _read_manifest(store, name, sha256))


def read_packs(
    store: Store, packs: Iterable[tuple[int, Pack]], progress: Progress
) -> Generator[tuple[int, list[Blob]], None, None]:
    """Yield (number, blobs) for each frame of the numbered packs, all verified; close it when leaving early.

    Raises ArchiveRefusedError, StoppedError, or what the store raises.
    """

    def download(numbered: tuple[int, Pack]) -> tuple[int, Pack, memoryview]:
        progress.step()
        return *numbered, _twice(lambda: _read_pack(store, numbered[1]))

    with closing(in_order(download, packs, DOWNLOADS)) as downloaded:
        frames = _frames(downloaded, progress)
        with closing(in_order(_unpack, frames, UNPACKERS)) as unpacked:
            for result in unpacked:
                progress.step()
                yield result


def _frames(
    downloaded: Iterable[tuple[int, Pack, memoryview]], progress: Progress
) -> Iterator[tuple[int, Frame]]:
    for number, pack, content in downloaded:
        progress.stored_bytes += pack.size
        for frame in split(content, pack.content):
            yield number, frame


def _unpack(numbered: tuple[int, Frame]) -> tuple[int, list[Blob]]:
    number, frame = numbered
    return number, unpack(frame)


def _twice(read: Callable[[], T]) -> T:
    try:
        return read()
    except ArchiveRefusedError:
        return read()


def _read_manifest(store: Store, name: str, sha256: str | None) -> FoundManifest:
    content = _read(store, name, LARGEST_MANIFEST)
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise ArchiveRefusedError(f"{name} is damaged: its sha256 is not what was promised")
    return FoundManifest(decode_manifest(bytes(content)), len(content), found)


def _read_pack(store: Store, pack: Pack) -> memoryview:
    content = _read(store, pack.name, pack.size)
    if len(content) != pack.size or hashlib.sha256(content).hexdigest() != pack.sha256:
        raise ArchiveRefusedError(f"{pack.name} is damaged: its size or sha256 is not what the manifest says")
    return memoryview(content)


def _read(store: Store, name: str, most: int) -> bytearray:
    content = bytearray()
    for piece in store.get(name, most):
        content += piece
        if len(content) > most:
            raise ArchiveRefusedError(f"{name} is larger than it should be")
    return content
