"""What did the query string ask for? Flags, pages and durations as Google's REST clients send them."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf import duration_pb2
from starlette.requests import Request

from emulators.cloud_run.model.errors import invalid

DEFAULT_PAGE = 100
MAX_PAGE = 1000


def flag(request: Request, name: str) -> bool:
    """A boolean parameter; absent is false."""
    return request.query_params.get(name, "false").lower() == "true"


def page_of(request: Request) -> tuple[int, str]:
    """The page size, within bounds, and the page token."""
    text = request.query_params.get("pageSize", "0")
    if not text.isdecimal():
        raise invalid("page_size", f"page_size must not be negative nor '{text}'.")
    return min(int(text) or DEFAULT_PAGE, MAX_PAGE), request.query_params.get("pageToken", "")


def duration(text: str) -> timedelta:
    """A duration such as `3.5s`."""
    message = duration_pb2.Duration()
    try:
        message.FromJsonString(text)
    except ValueError as error:
        raise invalid("timeout", f"'{text}' is not a duration; write it like 3.5s.") from error
    length: timedelta = message.ToTimedelta()
    return length
