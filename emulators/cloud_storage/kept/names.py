"""Which names may buckets and objects have, and which request path names what?

Paths are split before they are decoded: an encoded slash belongs to a name.
"""

import re
from urllib.parse import quote, unquote_to_bytes

from emulators.cloud_storage.failures import Reason, StorageError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_LONGEST_BUCKET_PART = 63
_ADDRESS = re.compile(r"\d+(\.\d+){3}", re.ASCII)
_MAX_OBJECT_BYTES = 1024
_JSON_ROOTS = (b"/storage/v1/", b"/upload/storage/v1/", b"/download/storage/v1/", b"/batch/")
_BATCH = b"/batch"
CONTROL = b"/emulator/v1/"
"""Where the clock and the faults are."""
_RESERVED = ".well-known/acme-challenge/"
_MOST_DIGITS = 19
"""Of a number of 64 bits."""


def check_bucket_name(name: object) -> str:
    """The name, if a bucket may have it."""
    if not name:
        raise StorageError(Reason.REQUIRED, "Required: the bucket needs a name.")
    if not isinstance(name, str) or not _BUCKET.fullmatch(name) or not _is_allowed(name):
        raise StorageError(Reason.INVALID, f"Invalid bucket name: {name!r}.")
    return name


def _is_allowed(name: str) -> bool:
    """Whether what stands between dots is short enough, and the name neither an address nor Google's."""
    parts = [len(part) for part in name.split(".")]
    return (
        min(parts) >= 1
        and max(parts) <= _LONGEST_BUCKET_PART
        and not _ADDRESS.fullmatch(name)
        and not name.startswith("goog")
    )


def check_object_name(name: object) -> str:
    """The name, if an object may have it; Cloud Storage allows everything but these."""
    if not isinstance(name, str) or not name:
        raise StorageError(Reason.REQUIRED, "Required: the object needs a name.")
    if name in {".", ".."} or "\n" in name or "\r" in name or name.startswith(_RESERVED):
        message = (
            f"Invalid object name: {name!r}. It may not be . or .., hold line ends or begin {_RESERVED}."
        )
        raise StorageError(Reason.INVALID, message)
    try:
        length = len(name.encode())
    except UnicodeEncodeError as error:
        raise StorageError(Reason.INVALID, f"Invalid object name: {name!r} is not Unicode.") from error
    if length > _MAX_OBJECT_BYTES:
        message = f"The name of {length} bytes is longer than {_MAX_OBJECT_BYTES} bytes."
        raise StorageError(Reason.INVALID, message)
    return name


def is_json(raw_path: bytes) -> bool:
    """Whether a path is of the JSON API; every other one is of the XML API."""
    return raw_path == _BATCH or raw_path.startswith(_JSON_ROOTS)


def split_path(raw_path: bytes) -> list[str]:
    """The segments of a request path, each decoded on its own."""
    return [decode(segment) for segment in raw_path.lstrip(b"/").split(b"/")]


def decode(segment: bytes) -> str:
    """A percent-encoded piece of a path as text."""
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise StorageError(Reason.INVALID, "The path is not UTF-8.") from error


def is_number(text: str) -> bool:
    """Whether it is a whole number, zero or more, as the API writes them."""
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def check_query(query: bytes) -> None:
    """Raise unless the parameters of a raw query are UTF-8, as names and prefixes are."""
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError as error:
        raise StorageError(Reason.INVALID, "The query is not UTF-8.") from error


def json_segment(name: str) -> str:
    """A name as one segment of a path of the JSON API."""
    return quote(name, safe="~")


def xml_path(bucket: str, name: str) -> str:
    """The path of an object in the XML API."""
    return f"/{bucket}/{quote(name, safe='/~')}"
