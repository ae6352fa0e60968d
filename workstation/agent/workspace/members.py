"""What does a tar stream hold, member by member? Reads only what our own writer makes; everything else is refused.

It is a reader of its own because a library that is kind to every dialect has let archives out of their directory before.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from agent.backup.failures import ArchiveRefusedError
from agent.files.beneath import PathRefusedError, components

BLOCK = tarfile.BLOCKSIZE
LARGEST_EXTENSION = 64 * 1024
EXTENSION = b"x"
LONGEST_TARGET = 4095
KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "link",
}


class Reader(Protocol):
    """A source of bytes that gives fewer than asked for only at its end."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""


@dataclass(frozen=True, slots=True)
class Member:
    """One checked member; its names cannot leave the directory that it is extracted into."""

    names: tuple[bytes, ...]
    kind: str
    mode: int
    modified_ns: int
    size: int
    target: bytes


def read_exactly(source: Reader, size: int) -> bytes:
    """Return `size` bytes; raises ArchiveRefusedError when the stream ends before."""
    pieces = []
    while size:
        piece = source.read(size)
        if not piece:
            raise ArchiveRefusedError("the archive ends in the middle")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def read_members(source: Reader) -> Iterator[Member]:
    """Yield each member; read its content and padding before asking for the next; raises ArchiveRefusedError."""
    records: dict[bytes, bytes] = {}
    while (block := read_exactly(source, BLOCK)) != bytes(BLOCK):
        info = _parse(block)
        if info.type == EXTENSION:
            if records or not 0 <= info.size <= LARGEST_EXTENSION:
                raise ArchiveRefusedError("a member has extended headers that are not ours")
            records = parse_records(read_exactly(source, info.size))
            read_exactly(source, -info.size % BLOCK)
            continue
        yield _member(info, records)
        records = {}


def parse_records(data: bytes) -> dict[bytes, bytes]:
    """Return the records `LENGTH KEY=VALUE` of an extended header; raises ArchiveRefusedError."""
    records = {}
    while data:
        digits, space, _ = data.partition(b" ")
        length = int(digits) if space and digits.isdigit() and len(digits) < 8 else 0
        record, data = data[len(digits) + 1 : length], data[length:]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or length > len(digits) + 1 + len(record):
            raise ArchiveRefusedError("an extended header is damaged")
        records[key] = value[:-1]
    return records


def _parse(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise ArchiveRefusedError("a header is damaged") from error


def _member(info: tarfile.TarInfo, records: dict[bytes, bytes]) -> Member:
    kind = KINDS.get(info.type)
    if kind is None:
        raise ArchiveRefusedError(
            "it holds something that is neither a file, a directory nor a symbolic link"
        )
    size = _number(records.get(b"size"), info.size)
    target = records.get(b"linkpath") or info.linkname.encode("utf-8", "surrogateescape")
    if kind == "link" and (not 0 < len(target) <= LONGEST_TARGET or b"\0" in target):
        raise ArchiveRefusedError("a link has no usable target")
    if size < 0 or (kind != "file" and size):
        raise ArchiveRefusedError("a member has an impossible size")
    names = _names(records.get(b"path") or info.name.encode("utf-8", "surrogateescape"))
    modified = _nanoseconds(records.get(b"mtime"), int(info.mtime))
    # Neither setuid, setgid nor sticky ever comes out of an archive.
    return Member(names, kind, info.mode & 0o777, modified, size, target)


def _names(path: bytes) -> tuple[bytes, ...]:
    try:
        names = components(path)
    except PathRefusedError as error:
        raise ArchiveRefusedError(f"a path in it leads astray: {error}") from error
    if path.startswith(b"/") or not names:
        raise ArchiveRefusedError("a path in it is absolute or empty")
    return names


def _number(text: bytes | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdigit() or len(text) > 18:
        raise ArchiveRefusedError("a member has an impossible size")
    return int(text)


def _nanoseconds(text: bytes | None, default: int) -> int:
    number = text or b"%d" % default
    whole, _, fraction = number.removeprefix(b"-").partition(b".")
    digits = fraction[:9].ljust(9, b"0")
    if not whole.isdigit() or len(whole) > 11 or not digits.isdigit():
        raise ArchiveRefusedError("a member has an impossible time")
    nanoseconds = int(whole) * 1_000_000_000 + int(digits)
    # Beyond this the file system's own type ends, and setting the time would fail.
    if nanoseconds >= 1 << 62:
        raise ArchiveRefusedError("a member has an impossible time")
    return -nanoseconds if number.startswith(b"-") else nanoseconds
