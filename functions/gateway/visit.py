"""Who wants what of which workstation, and until when do they wait? What every room of the gateway is told."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.types import Scope

from functions.gateway.headers import value_of
from functions.gateway.target import Target
from shared.domain.facts import Origin
from shared.domain.names import Owner, WorkstationId
from shared.usecases.asking import Asker
from shared.usecases.requests import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request or WebSocket of an owner."""

    owner: Owner
    target: Target
    method: str
    headers: Iterable[tuple[bytes, bytes]] = field(repr=False)
    request_id: str
    deadline: float
    """On the loop's clock: until then it may be held."""

    @property
    def id(self) -> WorkstationId:
        return self.target.workstation

    @property
    def asker(self) -> Asker:
        call = Call(owner=self.owner, route=f"gateway {self.id}")
        return Asker(owner=self.owner, call=call, request_id=self.request_id)

    @property
    def origin(self) -> Origin:
        return Origin(actor=self.owner, request_id=self.request_id)

    @property
    def is_probe(self) -> bool:
        return self.target.is_probe(self.method)

    @property
    def patience(self) -> float:
        """Seconds that are left to wait."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())


def method_of(scope: Scope) -> str:
    """A WebSocket begins as a GET."""
    return str(scope.get("method", "GET"))


def has_body(visit: Visit) -> bool:
    """Whether bytes follow the head."""
    length = value_of(visit.headers, b"content-length")
    return bool(value_of(visit.headers, b"transfer-encoding")) or length not in (b"", b"0")
