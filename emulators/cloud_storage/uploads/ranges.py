"""Which bytes does a request mean?  Range for downloads, Content-Range for resumable uploads."""

import re
from dataclasses import dataclass

from emulators.cloud_storage.failures import Reason, StorageError

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The bytes of a content that a Range header asks for; None for all, also when it is not understood."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    if first and last and int(last) < int(first):
        return None
    if start >= size or start >= stop:
        message = "The requested range cannot be satisfied."
        raise StorageError(Reason.RANGE, message, {"Content-Range": f"bytes */{size}"})
    return ByteRange(start, stop)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Which bytes a request of a resumable upload carries, and how many there are in all."""

    carried: ByteRange | None
    """None asks how far the upload is."""
    total: int | None
    """None while it is not known."""


def parse_content_range(header: str) -> ContentRange:
    """Read a Content-Range header of an upload."""
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        raise StorageError(Reason.INVALID, f"Failed to parse Content-Range header {header!r}.")
    first, last, total_text = match.groups()
    total = None if total_text == "*" else int(total_text)
    if first is None:
        return ContentRange(None, total)
    carried = ByteRange(int(first), int(last) + 1)
    if carried.start >= carried.stop or (total is not None and carried.stop > total):
        raise StorageError(Reason.INVALID, f"Content-Range {header!r} contradicts itself.")
    return ContentRange(carried, total)
