"""Which part of a list does a page hold? Its token says with which item the page begins: as a rule by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from emulators.cloud_run.model.errors import invalid
from emulators.errors import ApiError
from emulators.rpc.method import Message

DEFAULT_PAGE = 100
MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list, and the token of the page after them; empty when there is none."""

    items: Sequence[Message]
    next_token: str


def page_of(items: Sequence[Message], size: int, token: str) -> Page:
    """The page of at most `size` items, 0 for the default; INVALID_ARGUMENT for a token of another list."""
    return first_page(items[_start(items, token) :], size, _id)


def first_page(items: Iterable[Message], size: int, token_of: Callable[[Message], str]) -> Page:
    """The page that items begin with, of which no more are taken than it shows and the one after them."""
    if size < 0:
        raise invalid("page_size", f"page_size must not be negative, but is {size}.")
    size = min(size or DEFAULT_PAGE, MAX_PAGE)
    taken = list(islice(items, size + 1))
    return Page(taken[:size], token_of(taken[size]) if len(taken) > size else "")


def foreign(token: str) -> ApiError:
    """INVALID_ARGUMENT for a token that no page of the list has given out."""
    return invalid("page_token", f"'{token}' is not a page token of this list.")


def _start(items: Sequence[Message], token: str) -> int:
    if not token:
        return 0
    for index, item in enumerate(items):
        if _id(item) == token:
            return index
    raise foreign(token)


def _id(item: Message) -> str:
    return str(item.name.rpartition("/")[2])
