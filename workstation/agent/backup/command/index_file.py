"""How is an index kept in a file? For one backup and one directory alone, and whole; what does not fit is no index.

sha256 of the rest, 32 bytes
one zstd frame of lines of JSON: the head, one for each pack with what it holds, one for each path
"""

import base64
import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import zstandard

from agent.backup.failures import ArchiveRefusedError
from agent.backup.form.bounds import LARGEST_WINDOW
from agent.backup.form.entry import Entry, Kind, Piece
from agent.backup.form.manifest import decode_manifest, encode_manifest
from agent.backup.index import Facts, Index, Known

FORMAT = "dormouse-index"
VERSION = 1

_KINDS: tuple[Kind, ...] = ("file", "directory", "link")
_DIGEST = 32
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_LEVEL = 1
"""Half of it is random bytes, which do not shrink; the rest shrinks quickly."""


class NoIndexError(Exception):
    """The content is damaged, or of another form, and says nothing."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Of which backup an index is, by its manifest object, and of which directory."""

    name: str
    sha256: str
    path: str
    device: int
    inode: int


def owner(name: str, sha256: str, root: Path) -> Owner:
    """Return what an index of this backup and this directory bears; raises OSError."""
    status = root.stat()
    return Owner(name, sha256, os.fspath(root.resolve()), status.st_dev, status.st_ino)


def write_index(file: Path, of: Owner, index: Index) -> None:
    """Write it whole or not at all, for its owner's eyes alone: it names every path. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as opened:
            opened.write(encode_index(of, index))
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def encode_index(of: Owner, index: Index) -> bytes:
    """Return the content of the file."""
    packs: list[list[bytes]] = [[] for _ in index.manifest.packs]
    for id_, place in index.blobs.items():
        packs[place].append(id_)
    frame = zstandard.ZstdCompressor(level=_LEVEL).compress(
        b"".join(_ENCODER.encode(row).encode() + b"\n" for row in _rows(of, index, packs))
    )
    return hashlib.sha256(frame).digest() + frame


def decode_index(content: bytes) -> tuple[Owner, Index]:
    """Return what the content of a file says; raises NoIndexError. Whether the store still agrees is not asked here."""
    frame = content[_DIGEST:]
    if hashlib.sha256(frame).digest() != content[:_DIGEST]:
        raise NoIndexError("it is damaged")
    try:
        decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        with decompressor.stream_reader(frame) as plain:
            return _decode(io.TextIOWrapper(plain, "ascii", newline="\n"))
    except (zstandard.ZstdError, ArchiveRefusedError) as error:
        raise NoIndexError("it is of another form") from error
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise NoIndexError("it is of another form") from error


def _rows(of: Owner, index: Index, packs: list[list[bytes]]) -> Iterator[Any]:
    ids = [id_ for pack in packs for id_ in pack]
    numbers = {id_: number for number, id_ in enumerate(ids)}
    yield {
        "format": FORMAT,
        "version": VERSION,
        "owner": astuple(of),
        "manifest": base64.b64encode(encode_manifest(index.manifest)).decode(),
        "paths": len(index.paths),
    }
    yield from (b"".join(pack).hex() for pack in packs)
    for known in index.paths.values():
        entry, facts = known.entry, known.facts
        pieces = [number for piece in entry.pieces for number in (numbers[piece.id], piece.size)]
        yield [
            _text(entry.path),
            _KINDS.index(entry.kind),
            entry.mode,
            entry.mtime,
            entry.size,
            pieces,
            _text(entry.target),
            int(known.settled),
            *(facts.mode, facts.inode, facts.size, facts.mtime_ns, facts.ctime_ns),
        ]


def _decode(lines: io.TextIOWrapper) -> tuple[Owner, Index]:
    head = json.loads(next(lines))
    if (head["format"], head["version"]) != (FORMAT, VERSION):
        raise ValueError("another form")
    manifest = decode_manifest(base64.b64decode(head["manifest"], validate=True))
    ids: list[bytes] = []
    blobs: dict[bytes, int] = {}
    for place in range(len(manifest.packs)):
        whole = bytes.fromhex(json.loads(next(lines)))
        held = [whole[at : at + _DIGEST] for at in range(0, len(whole), _DIGEST)]
        ids += held
        blobs.update(dict.fromkeys(held, place))
    paths = dict(_known(json.loads(line), ids) for line in lines)
    if len(paths) != head["paths"] or len(blobs) != len(ids):
        raise ValueError("a number of rows")
    return Owner(*head["owner"]), Index(manifest, paths, blobs)


def _known(row: Any, ids: list[bytes]) -> tuple[bytes, Known]:
    path, kind, mode, mtime, size, numbers, target, settled, *facts = row
    pairs = iter(numbers)
    pieces = tuple(Piece(ids[number], length) for number, length in zip(pairs, pairs, strict=True))
    entry = Entry(_bytes(path), _KINDS[kind], mode, mtime, size, pieces, _bytes(target))
    return entry.path, Known(Facts(*facts), entry, bool(settled))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
