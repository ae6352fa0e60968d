"""Which blobs does a pack hold? Reads only what our writer makes, and checks every blob against its name.

    pack = frame* frame(END)        frame = (header content padding)*, one after the other a tar

A pack is split into its frames without decompressing any, so that they can be unpacked beside each other. No frame
takes more memory than the largest of ours, whatever it says of itself and whatever is in it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

from agent.backup.failures import ArchiveRefusedError
from agent.backup.form.bounds import LARGEST_BLOB, LARGEST_FRAME, LARGEST_WINDOW
from agent.backup.form.members import BLOCK, END, header

_MAGIC = b"\x28\xb5\x2f\xfd"
_LONGEST_HEADER = 18
_BLOCK_HEADER = 3
_FEWEST_BLOCKS, _SMALLEST_BLOCK = 200, 256
"""zstd splits 128 KiB into 196 blocks at most; a frame of many more has us count them for nothing."""
_REPEATED_BYTE, _RESERVED = 1, 3
_CHECKSUM = 4
_NAME = slice(0, 64)
_LENGTH = slice(124, 135)


@dataclass(frozen=True, slots=True)
class Frame:
    """One zstd frame of a pack, still compressed, and how many bytes it says are in it; the last ends the tar."""

    data: memoryview
    content: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob, whose content has been found to be what its name says; `content` keeps its whole frame in memory."""

    id: bytes
    content: memoryview


def split(pack: memoryview, content: int) -> Iterator[Frame]:
    """Yield the frames of a pack whose tar should have `content` bytes; raises ArchiveRefusedError."""
    start = found = 0
    while start < len(pack):
        size = _content_size(pack[start : start + _LONGEST_HEADER])
        found += size
        if found > content:
            raise ArchiveRefusedError("a pack holds more than its manifest says")
        end = _end_of_frame(pack, start, size)
        is_last = end == len(pack)
        if is_last != (found == content):
            raise ArchiveRefusedError("a pack does not end where its manifest says")
        yield Frame(pack[start:end], size, is_last)
        start = end
    if not start:
        raise ArchiveRefusedError("a pack is empty")


def unpack(frame: Frame) -> list[Blob]:
    """Return the blobs of a frame; raises ArchiveRefusedError."""
    plain = memoryview(_decompress(frame))
    if frame.is_last:
        if plain != END:
            raise ArchiveRefusedError("a pack does not end as a tar does")
        return []
    blobs, at = [], 0
    while at < len(plain):
        blob = _blob(plain, at)
        blobs.append(blob)
        at += BLOCK + len(blob.content) + -len(blob.content) % BLOCK
    return blobs


def _content_size(start: memoryview) -> int:
    """Return what a frame says it holds, if that and what it asks for are such as we write."""
    if start[: len(_MAGIC)] != _MAGIC:
        raise ArchiveRefusedError("something in a pack is no zstd frame")
    try:
        found = zstandard.get_frame_parameters(start)
    except zstandard.ZstdError as error:
        raise ArchiveRefusedError("a frame has a damaged header") from error
    size: int = found.content_size
    if not 0 < size <= LARGEST_FRAME or found.window_size > max(LARGEST_WINDOW, size):
        raise ArchiveRefusedError("a frame is larger than ours, or does not say how large it is")
    if not found.has_checksum or found.dict_id:
        raise ArchiveRefusedError("a frame has no checksum, or needs a dictionary")
    return size


def _end_of_frame(pack: memoryview, start: int, content: int) -> int:
    """Return where a frame ends, going from block to block as RFC 8878 (3.1.1.2) has them."""
    blocks_left = _FEWEST_BLOCKS + content // _SMALLEST_BLOCK
    at = start + zstandard.frame_header_size(pack[start : start + _LONGEST_HEADER])
    is_last = False
    while not is_last:
        block = int.from_bytes(pack[at : at + _BLOCK_HEADER], "little")
        is_last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
        blocks_left -= 1
        if kind == _RESERVED or not blocks_left or at + _BLOCK_HEADER > len(pack):
            raise ArchiveRefusedError("a pack breaks off, or a frame is damaged")
        at += _BLOCK_HEADER + (1 if kind == _REPEATED_BYTE else size)
    if at + _CHECKSUM > len(pack):
        raise ArchiveRefusedError("a pack breaks off within a frame")
    return at + _CHECKSUM


def _decompress(frame: Frame) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=max(LARGEST_WINDOW, frame.content))
    try:
        # It fills a buffer of the size that the header gives, and raises where more comes out, or less.
        plain = decompressor.decompress(frame.data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ArchiveRefusedError("a frame is damaged") from error
    if len(plain) != frame.content:
        raise ArchiveRefusedError("a frame does not hold what it says")
    return plain


def _blob(plain: memoryview, at: int) -> Blob:
    id_, size = _header(bytes(plain[at : at + BLOCK]))
    start = at + BLOCK
    content, padding = plain[start : start + size], plain[start + size : start + size + -size % BLOCK]
    if len(content) != size or padding != bytes(-size % BLOCK):
        raise ArchiveRefusedError("a blob breaks off, or is not padded with zeros")
    if hashlib.sha256(content).digest() != id_:
        raise ArchiveRefusedError("a blob is not what its name says")
    return Blob(id_, content)


def _header(block: bytes) -> tuple[bytes, int]:
    try:
        id_, size = bytes.fromhex(block[_NAME].decode("ascii")), int(block[_LENGTH], 8)
    except ValueError as error:
        raise ArchiveRefusedError("a member of a pack is no blob") from error
    # As we write only one header for a blob, anything else in it is not ours: a link, a device, another dialect.
    if not 0 < size <= LARGEST_BLOB or header(id_, size) != block:
        raise ArchiveRefusedError("a member of a pack is no blob")
    return id_, size
