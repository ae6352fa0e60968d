"""Which objects are on this page?  Prefixes, delimiters, offsets and pages over sorted names."""

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from emulators.cloud_storage.failures import Reason, StorageError

PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a client asks for; ``after`` is where the page before ended."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str | None = None
    after: str | None = None
    limit: int = PAGE_LIMIT


@dataclass(slots=True)
class Page:
    """A page: names of objects, prefixes, and where the next one goes on."""

    names: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next_after: str | None = None

    def __len__(self) -> int:
        return len(self.names) + len(self.prefixes)


def list_names(names: Sequence[str], asked: ListRequest) -> Page:
    """The page of the sorted names."""
    page, last = Page(), asked.after
    first = bisect_left(names, max(asked.prefix, asked.start, asked.after or ""))
    for name in names[first:]:
        if not name.startswith(asked.prefix) or (asked.end is not None and name >= asked.end):
            break
        folded = _folded(name, asked)
        entry = name if folded is None else folded
        # A folded prefix stands for every name under it, those on later pages too.
        if last is not None and entry <= last:
            continue
        if len(page) == asked.limit:
            page.next_after = last
            break
        (page.names if folded is None else page.prefixes).append(entry)
        last = entry
    return page


def _folded(name: str, asked: ListRequest) -> str | None:
    """The prefix that the name is folded into, if any."""
    if not asked.delimiter:
        return None
    cut = name.find(asked.delimiter, len(asked.prefix))
    return None if cut < 0 else name[: cut + len(asked.delimiter)]


def parse_list_request(query: Mapping[str, str]) -> ListRequest:
    """Read the query of a list call."""
    token = query.get("pageToken")
    return ListRequest(
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start=query.get("startOffset", ""),
        end=query.get("endOffset") or None,
        after=_from_token(token) if token else None,
        limit=_limit(query.get("maxResults", str(PAGE_LIMIT))),
    )


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise StorageError(Reason.INVALID, f"Invalid value for maxResults: {text!r}.")
    return min(int(text), PAGE_LIMIT)


def page_token(after: str) -> str:
    """The token of the page that follows."""
    return urlsafe_b64encode(after.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return b64decode(token, b"-_", validate=True).decode()
    except ValueError as error:
        raise StorageError(Reason.INVALID, f"Invalid page token: {token!r}.") from error
