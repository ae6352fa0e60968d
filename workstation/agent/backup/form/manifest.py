"""Which packs and which lists make a backup? The manifest, the last object of a save: without it there is no backup."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import zstandard

from agent.backup.failures import ArchiveRefusedError, WorkspaceError
from agent.backup.form.bounds import (
    LARGEST_MANIFEST,
    LARGEST_PACK,
    LARGEST_PACK_CONTENT,
    LARGEST_WINDOW,
    LEVEL,
    MOST_BYTES,
    MOST_ENTRIES,
    MOST_PACKS,
    PACK_NAME,
    VERSION,
)
from agent.backup.form.entry import blob_id

FORMAT = "dormouse-backup"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MOST_VALUES = 2_000_000
"""Counted by its commas before it is parsed, because an empty list takes twenty times its length in memory."""


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack object: `size` and `sha256` of the object, `content` the bytes of the tar within it.

    Lists are kept in packs of their own, so that a restore reads those first.
    """

    name: str
    size: int
    sha256: str
    content: int
    holds_lists: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a restore needs to begin with."""

    packs: tuple[Pack, ...]
    lists: tuple[bytes, ...]
    """The blobs whose lines, joined in this order, are the entries: directories before what is in them."""
    entries: int
    files: int
    bytes: int
    """The sum of the sizes of the files."""
    written: datetime
    """When the save began, by its own clock: UTC, in whole seconds. Names say which backup is newer, not this."""
    skipped: tuple[tuple[str, str], ...] = ()
    """(path, why) of what could not be saved, at most a hundred."""
    changed: tuple[str, ...] = ()
    """Files that changed during every attempt to read them, at most a hundred."""


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the object's content: one zstd frame of JSON; raises WorkspaceError where nobody would read it again."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "written": _told(manifest.written),
        "packs": [
            {
                "name": pack.name,
                "size": pack.size,
                "sha256": pack.sha256,
                "content": pack.content,
                "holds": "lists" if pack.holds_lists else "files",
            }
            for pack in manifest.packs
        ],
        "lists": [id_.hex() for id_ in manifest.lists],
        "entries": manifest.entries,
        "files": manifest.files,
        "bytes": manifest.bytes,
        "skipped": [{"path": path, "reason": why} for path, why in manifest.skipped],
        "changed": list(manifest.changed),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "surrogateescape")
    content = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(text)
    try:
        decode_manifest(content)
    except ArchiveRefusedError as error:
        raise WorkspaceError(f"a backup of it would be larger than any may be: {error}") from error
    return content


def decode_manifest(content: bytes) -> Manifest:
    """Return what a manifest object says; raises ArchiveRefusedError."""
    try:
        found = zstandard.frame_content_size(content)
        if not 0 <= found <= LARGEST_MANIFEST:
            raise ArchiveRefusedError("the manifest is too large, or does not say how large it is")
        plain = zstandard.ZstdDecompressor(max_window_size=max(LARGEST_WINDOW, found)).decompress(
            content, allow_extra_data=False
        )
        if plain.count(b",") > _MOST_VALUES:
            raise ArchiveRefusedError("the manifest says more than one of ours can")
        return _manifest(json.loads(plain.decode("utf-8", "surrogateescape")))
    except (zstandard.ZstdError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArchiveRefusedError("the manifest is damaged, or none of ours") from error


def _manifest(document: Any) -> Manifest:
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ArchiveRefusedError("the manifest is of a form that this version does not read")
    packs = tuple(_pack(fields) for fields in document["packs"])
    if len(packs) > MOST_PACKS or len({pack.name for pack in packs}) != len(packs):
        raise ValueError("packs")
    lists = tuple(blob_id(text) for text in document["lists"])
    entries = _whole(document["entries"], MOST_ENTRIES)
    return Manifest(
        packs=packs,
        lists=lists,
        entries=entries,
        files=_whole(document["files"], entries),
        bytes=_whole(document["bytes"], MOST_BYTES),
        written=_time(document["written"]),
        skipped=tuple((str(item["path"]), str(item["reason"])) for item in document["skipped"]),
        changed=tuple(str(path) for path in document["changed"]),
    )


def _told(written: datetime) -> str:
    return written.astimezone(UTC).strftime(_TIME)


def _time(text: Any) -> datetime:
    time = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    if _told(time) != text:
        raise ValueError("a time")
    return time


def _pack(fields: Any) -> Pack:
    name, sha256 = fields["name"], fields["sha256"]
    if not PACK_NAME.fullmatch(name) or fields["holds"] not in ("lists", "files"):
        raise ValueError("pack")
    blob_id(sha256)
    size = _whole(fields["size"], LARGEST_PACK)
    content = _whole(fields["content"], LARGEST_PACK_CONTENT)
    return Pack(name, size, sha256, content, fields["holds"] == "lists")


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("a number")
    return value
