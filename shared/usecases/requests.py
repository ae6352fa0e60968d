"""The same request id, the same effect once: for at least 24 h, within one user and one route."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.domain.errors import AlreadyExists, InvalidArgument, Violation
from shared.domain.names import Owner, digest
from shared.domain.operations import Operation
from shared.ports import Request
from shared.usecases.deps import Deps

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One acting call. `request_id` empty: the caller asked for no memory of it."""

    owner: Owner
    route: str
    request_id: str = ""
    body: bytes = b""

    @property
    def key(self) -> str:
        return digest(self.owner, self.route, self.request_id)

    @property
    def body_hash(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def once(deps: Deps, call: Call, effect: Callable[[], Operation]) -> Operation:
    """What `effect` leads to, or, for a request id that is known, what it led to the first time.

    Raises InvalidArgument where the request id was used for something else.
    """
    if known := _replayed(deps, call):
        return known
    try:
        return effect()
    except AlreadyExists:
        # The same call came twice at once, and the other one was faster.
        if known := _replayed(deps, call):
            return known
        raise


def _replayed(deps: Deps, call: Call) -> Operation | None:
    if not call.request_id:
        return None
    known = deps.records.request(call.key)
    if known is None:
        return None
    if known.body_hash != call.body_hash:
        raise InvalidArgument(
            "This requestId was used for another request; use a new one.",
            "REQUEST_ID_REUSED",
            violations=(Violation("requestId", "used before with another body"),),
        )
    return deps.records.operation(known.operation)


def remember(deps: Deps, call: Call, operation: Operation) -> Request | None:
    """What is written in the same batch as the effect."""
    if not call.request_id:
        return None
    return Request(
        key=call.key,
        owner=call.owner,
        body_hash=call.body_hash,
        operation=operation.id,
        expire_time=deps.clock.now() + KEPT,
    )
