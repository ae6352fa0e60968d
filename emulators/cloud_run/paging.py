"""Which part of a list does a page hold? Its token is the name of the item that the page begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulators.cloud_run.model.errors import invalid
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
    if size < 0:
        raise invalid("page_size", f"page_size must not be negative, but is {size}.")
    start, size = _start(items, token), min(size or DEFAULT_PAGE, MAX_PAGE)
    following = items[start + size : start + size + 1]
    return Page(items[start : start + size], _id(following[0]) if following else "")


def _start(items: Sequence[Message], token: str) -> int:
    if not token:
        return 0
    for index, item in enumerate(items):
        if _id(item) == token:
            return index
    raise invalid("page_token", f"'{token}' is not a page token of this list.")


def _id(item: Message) -> str:
    return str(item.name.rpartition("/")[2])
