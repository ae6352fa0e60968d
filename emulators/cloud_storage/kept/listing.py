"""Which versions are on this page?  Prefixes, delimiters, offsets, globs and pages over sorted names.

A page costs what it shows: what is folded into a prefix is passed over in one step.
"""

import json
from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from re import Pattern

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.buckets import Key
from emulators.cloud_storage.kept.globs import compile_glob
from emulators.cloud_storage.kept.names import is_number
from emulators.cloud_storage.requests import flag

PAGE_LIMIT = 1000
_MOST_LOOKED_AT = 20_000
"""So many entries a page looks at, though none may match its glob."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a client asks for; ``at`` is where the page begins."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str | None = None
    at: Key = ("", 0)
    limit: int = PAGE_LIMIT
    trailing: bool = False
    """Whether names that end in their first delimiter are shown besides the prefix."""
    glob: Pattern[str] | None = None


@dataclass(slots=True)
class Page:
    """A page: versions, prefixes, and where the next one begins."""

    keys: list[Key] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next_at: Key | None = None

    def __len__(self) -> int:
        return len(self.keys) + len(self.prefixes)


def list_keys(keys: Sequence[Key], asked: ListRequest) -> Page:
    """The page of the sorted keys."""
    page, looked_at = Page(), 0
    position = bisect_left(keys, max((asked.prefix, 0), (asked.start, 0), asked.at))
    stop = _stop(keys, asked)
    while position < stop:
        shown, folded, following = _entry(keys, position, stop, asked)
        size = len(shown) + (folded is not None)
        if (len(page) and len(page) + size > asked.limit) or looked_at == _MOST_LOOKED_AT:
            page.next_at = keys[position]
            break
        if asked.glob is None or asked.glob.fullmatch(folded or shown[0][0]):
            page.keys += shown
            page.prefixes += [] if folded is None else [folded]
        position, looked_at = following, looked_at + 1
    return page


def _entry(
    keys: Sequence[Key], position: int, stop: int, asked: ListRequest
) -> tuple[list[Key], str | None, int]:
    """What one step shows: a version, or a prefix for all that is under it; and where the next one begins."""
    folded = _folded(keys[position][0], asked)
    if folded is None:
        return [keys[position]], None, position + 1
    following = _after(keys, folded, stop)
    if not asked.trailing:
        return [], folded, following
    last = bisect_left(keys, (f"{folded}\0", 0), position, following)
    return list(keys[position:last]), folded, following


def _folded(name: str, asked: ListRequest) -> str | None:
    """The prefix that the name is folded into, if any."""
    if not asked.delimiter:
        return None
    cut = name.find(asked.delimiter, len(asked.prefix))
    return None if cut < 0 else name[: cut + len(asked.delimiter)]


def _stop(keys: Sequence[Key], asked: ListRequest) -> int:
    stop = len(keys) if asked.end is None else bisect_left(keys, (asked.end, 0))
    return _after(keys, asked.prefix, stop)


def _after(keys: Sequence[Key], prefix: str, stop: int) -> int:
    """Where the names that begin with the prefix end."""
    stem = prefix.rstrip(chr(0x10FFFF))
    if not stem:
        return stop
    return min(stop, bisect_left(keys, (stem[:-1] + chr(ord(stem[-1]) + 1), 0)))


def parse_list_request(query: Mapping[str, str]) -> ListRequest:
    """Read the query of a list call."""
    token, glob, delimiter = query.get("pageToken"), query.get("matchGlob"), query.get("delimiter", "")
    if glob and delimiter not in ("", "/"):
        raise StorageError(Reason.INVALID, "With matchGlob the delimiter must be / or left out.")
    return ListRequest(
        prefix=query.get("prefix", ""),
        delimiter=delimiter,
        start=query.get("startOffset", ""),
        end=query.get("endOffset") or None,
        at=_from_token(token) if token else ("", 0),
        limit=_limit(query.get("maxResults", str(PAGE_LIMIT))),
        trailing=flag(query, "includeTrailingDelimiter"),
        glob=compile_glob(glob) if glob else None,
    )


def _limit(text: str) -> int:
    if not is_number(text) or int(text) < 1:
        raise StorageError(Reason.INVALID, f"Invalid value for maxResults: {text!r}.")
    return min(int(text), PAGE_LIMIT)


def page_token(at: Key) -> str:
    """The token of the page that begins there."""
    return urlsafe_b64encode(json.dumps(at).encode()).decode()


def _from_token(token: str) -> Key:
    try:
        name, generation = json.loads(b64decode(token, b"-_", validate=True))
        return str(name), int(generation)
    except (ValueError, TypeError) as error:
        raise StorageError(Reason.INVALID, f"Invalid page token: {token!r}.") from error
