"""The route table: method, path, who may call, what goes in and out. A route without an access cannot be written.

Handlers are plain functions that run in the thread pool; `ASYNC` ones wait on the loop instead and hold no thread.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from shared.ports import Caller
from shared.wiring import App


class Access(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    USER = "user"
    """A Firebase user, about what is theirs."""
    SCHEDULER = "scheduler"
    """Cloud Scheduler's service account, by OIDC."""
    CONTROLLER = "controller"
    """The control plane's own service accounts, by OIDC."""


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One decoded call."""

    app: App
    method: str
    caller: Caller | None
    """None on public routes and for service accounts."""
    request_id: str
    path: dict[str, str]
    query: Any
    body: Any
    raw_body: bytes
    if_match: str = ""

    @property
    def user(self) -> Caller:
        assert self.caller is not None
        return self.caller


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a value that JSON can carry, and the HTTP status."""

    body: object
    status: int = 200
    etag: str = ""


Handler = Callable[[Incoming], Answer] | Callable[[Incoming], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. `answer` is the shape of a 200; `body` None: none is read."""

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    answer: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
