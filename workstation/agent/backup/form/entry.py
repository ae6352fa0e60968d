"""What does a backup know of one path? As a line of JSON, strict both ways: what we would not write is refused.

    {"path": "src/a.py", "type": "file", "mode": 420, "mtime": 1790000000123456789, "size": 12, "sha256": "..."}
    {"path": "video.mp4", "type": "file", ..., "size": 5000000, "pieces": [["<sha256>", 1048576], ...]}
    {"path": "src", "type": "directory", "mode": 493, "mtime": ...}
    {"path": "latest", "type": "link", "mtime": ..., "target": "src"}

A path or target that is no UTF-8 is given as `pathBase64` or `targetBase64` instead. `mtime` is in nanoseconds.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Literal

from agent.backup.failures import ArchiveRefusedError
from agent.backup.form.bounds import LARGEST_PIECE, MOST_BYTES
from agent.backup.walk import DEEPEST, LONGEST_PATH
from agent.files.beneath import PathRefusedError, components

Kind = Literal["file", "directory", "link"]

LONGEST_TARGET = 4095
_KEYS = {
    "file": {"path", "type", "mode", "mtime", "size", "sha256", "pieces"},
    "directory": {"path", "type", "mode", "mtime"},
    "link": {"path", "type", "mtime", "target"},
}
_FURTHEST_TIME = 2**63 * 10**9
"""Whatever a kernel can tell: its seconds have 64 bits, and tmpfs keeps them all."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file: the sha256 of its content, and its length."""

    id: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory or link. `pieces` in the order of the file; an empty file has none."""

    path: bytes
    kind: Kind
    mode: int
    mtime: int
    size: int = 0
    pieces: tuple[Piece, ...] = ()
    target: bytes = b""


def encode_entry(entry: Entry) -> bytes:
    """Return the line, with its newline."""
    line: dict[str, Any] = {**_text("path", entry.path), "type": entry.kind}
    if entry.kind == "link":
        line |= {"mtime": entry.mtime, **_text("target", entry.target)}
    else:
        line |= {"mode": entry.mode, "mtime": entry.mtime}
    if entry.kind == "file":
        line["size"] = entry.size
        if len(entry.pieces) == 1:
            line["sha256"] = entry.pieces[0].id.hex()
        elif entry.pieces:
            line["pieces"] = [[piece.id.hex(), piece.size] for piece in entry.pieces]
    return _ENCODER.encode(line).encode() + b"\n"


def decode_entry(line: bytes) -> Entry:
    """Return what a line says; raises ArchiveRefusedError for whatever we would not have written."""
    try:
        fields = json.loads(line)
        kind = fields.pop("type")
        path, target = _bytes(fields, "path"), b""
        if kind == "link":
            target = _bytes(fields, "target")
        entry = _entry(kind, path, target, fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise ArchiveRefusedError("a line of a list is no entry of ours") from error
    _check(entry)
    return entry


def _entry(kind: Any, path: bytes, target: bytes, fields: dict[str, Any]) -> Entry:
    if kind not in _KEYS or not fields.keys() <= _KEYS[kind]:
        raise ValueError("unknown kind or field")
    size = _whole(fields, "size", MOST_BYTES) if kind == "file" else 0
    mode = 0o777 if kind == "link" else _whole(fields, "mode", 0o777)
    mtime = fields["mtime"]
    if type(mtime) is not int or abs(mtime) > _FURTHEST_TIME:
        raise ValueError("mtime")
    pieces = _pieces(fields, size) if kind == "file" else ()
    return Entry(path, kind, mode, mtime, size, pieces, target)


def _pieces(fields: dict[str, Any], size: int) -> tuple[Piece, ...]:
    if "sha256" in fields and "pieces" in fields:
        raise ValueError("both sha256 and pieces")
    found = [[fields["sha256"], size]] if "sha256" in fields else fields.get("pieces", [])
    pieces = tuple(Piece(blob_id(id_), length) for id_, length in found)
    if any(type(piece.size) is not int or not 0 < piece.size <= LARGEST_PIECE for piece in pieces):
        raise ValueError("the size of a piece")
    if sum(piece.size for piece in pieces) != size:
        raise ValueError("the pieces are not the file")
    return pieces


def blob_id(text: Any) -> bytes:
    """Return the 32 bytes of a sha256 in hexadecimal; raises ValueError, TypeError."""
    id_ = bytes.fromhex(text)
    if len(id_) != 32 or id_.hex() != text:
        raise ValueError("not a sha256")
    return id_


def _check(entry: Entry) -> None:
    try:
        names = components(entry.path)
    except PathRefusedError as error:
        raise ArchiveRefusedError(f"a path in it leads elsewhere: {error}") from error
    if b"/".join(names) != entry.path or not names:
        raise ArchiveRefusedError("a path in it is not in its plain form")
    if len(names) > DEEPEST or len(entry.path) > LONGEST_PATH:
        raise ArchiveRefusedError("a path in it is too deep or too long")
    if entry.kind == "link" and (not 0 < len(entry.target) <= LONGEST_TARGET or b"\0" in entry.target):
        raise ArchiveRefusedError("a link in it has no possible target")


def _whole(fields: dict[str, Any], name: str, most: int) -> int:
    value = fields[name]
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(name)
    return value


def _text(name: str, value: bytes) -> dict[str, str]:
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(value).decode()}


def _bytes(fields: dict[str, Any], name: str) -> bytes:
    encoded = fields.pop(f"{name}Base64", None)
    if encoded is not None:
        return base64.b64decode(encoded, validate=True)
    return bytes(fields.pop(name).encode())
