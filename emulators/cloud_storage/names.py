"""Which names may buckets and objects have, and which request path names what?

Paths are split before they are decoded: an encoded slash belongs to a name.
"""

import re
from urllib.parse import quote, unquote_to_bytes

from emulators.cloud_storage.failures import Reason, StorageError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_MAX_OBJECT_BYTES = 1024


def check_bucket_name(name: object) -> str:
    """The name, if a bucket may have it."""
    if not name:
        raise StorageError(Reason.REQUIRED, "Required: the bucket needs a name.")
    if not isinstance(name, str) or not _BUCKET.fullmatch(name) or name.startswith("goog"):
        raise StorageError(Reason.INVALID, f"Invalid bucket name: {name!r}.")
    return name


def check_object_name(name: object) -> str:
    """The name, if an object may have it; Cloud Storage allows everything but these."""
    if not isinstance(name, str) or not name:
        raise StorageError(Reason.REQUIRED, "Required: the object needs a name.")
    if name in {".", ".."} or "\n" in name or "\r" in name:
        message = f"Invalid object name: {name!r}. It may not be . or .. nor hold line ends."
        raise StorageError(Reason.INVALID, message)
    try:
        length = len(name.encode())
    except UnicodeEncodeError as error:
        raise StorageError(Reason.INVALID, f"Invalid object name: {name!r} is not Unicode.") from error
    if length > _MAX_OBJECT_BYTES:
        message = f"The name of {length} bytes is longer than {_MAX_OBJECT_BYTES} bytes."
        raise StorageError(Reason.INVALID, message)
    return name


def split_path(raw_path: bytes) -> list[str]:
    """The segments of a request path, each decoded on its own."""
    return [decode(segment) for segment in raw_path.lstrip(b"/").split(b"/")]


def decode(segment: bytes) -> str:
    """A percent-encoded piece of a path as text."""
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise StorageError(Reason.INVALID, "The path is not UTF-8.") from error


def json_segment(name: str) -> str:
    """A name as one segment of a path of the JSON API."""
    return quote(name, safe="~")


def xml_path(bucket: str, name: str) -> str:
    """The path of an object in the XML API."""
    return f"/{bucket}/{quote(name, safe='/~')}"
