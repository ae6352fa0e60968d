"""What is a fact of the meter, and how is it written down? One JSON object a line; it draws no conclusion from any.

Times are whole microseconds since 1970, UTC, by the emulator's clock.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from emulators.cloud_run.instances.usage import Allocation

_compact = json.JSONEncoder(separators=(",", ":")).encode


class Kind(StrEnum):
    """What happened."""

    STARTED = "started"
    READY = "ready"
    STOPPING = "stopping"
    GONE = "gone"
    BEGAN = "began"
    """A request or WebSocket."""
    ENDED = "ended"
    PROBE_BEGAN = "probe-began"
    PROBE_ENDED = "probe-ended"
    MINIMUM = "minimum"
    ALIVE = "alive"
    """Nothing but that it is now this late: an end that nobody sees is later than this."""
    RESTARTED = "restarted"
    """The emulator is here again: what it left open has ended at the latest time known before."""


_KINDS = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to `subject`: an instance, for MINIMUM a service, for ALIVE and RESTARTED nobody."""

    time: int
    kind: Kind
    subject: str = ""
    allocation: Allocation | None = None
    minimum: int = 0


def encode(fact: Fact) -> str:
    """The line of a fact, without its end."""
    document: dict[str, object] = {"t": fact.time, "k": fact.kind}
    if fact.subject:
        document["s"] = fact.subject
    if fact.allocation is not None:
        document["a"] = asdict(fact.allocation)
    if fact.kind is Kind.MINIMUM:
        document["n"] = fact.minimum
    return _compact(document)


def decode(line: str) -> Fact:
    """The fact of a line; ValueError, KeyError or TypeError when it is none."""
    document = json.loads(line)
    allocation = Allocation(**document["a"]) if "a" in document else None
    return Fact(
        document["t"], _KINDS[document["k"]], document.get("s", ""), allocation, minimum=document.get("n", 0)
    )
