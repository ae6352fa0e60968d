"""The audit log: one event for each transition, each with the hash of the one before, so that a gap or a change shows."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from shared.domain.breakdown import Breakdown
from shared.domain.money import Micros
from shared.domain.names import Uid
from shared.domain.states import Kind, Reason, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the log. `hash` covers every other field but `attempt`, and the hash before."""

    uid: Uid
    n: int
    kind: Kind
    state: State
    time: datetime
    actor: str
    reason: Reason | None
    message: str
    epoch: int
    request_id: str
    cost: Micros
    """What the session has cost so far."""
    previous_hash: str
    breakdown: Breakdown | None = None
    """What went wrong, where something did."""
    hash: str = ""
    attempt: str = ""
    """Random for each try to write it, so that after a lost answer its author knows his own."""

    @property
    def id(self) -> str:
        return f"{self.uid}-{self.n}"

    def digest(self) -> str:
        """The hash that this event ought to carry."""
        content = {
            "uid": self.uid,
            "n": self.n,
            "kind": self.kind,
            "state": self.state,
            "time": self.time.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": self.actor,
            "reason": self.reason,
            "message": self.message,
            "epoch": self.epoch,
            "requestId": self.request_id,
            "cost": self.cost,
            "previousHash": self.previous_hash,
        }
        if self.breakdown:
            content["breakdown"] = asdict(self.breakdown)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def broken_link(events: list[Event]) -> int | None:
    """The number of the first event that does not follow from the one before; None for a whole chain.

    `events` is one life's log, from number 1 on, in order.
    """
    previous = ""
    for expected, event in enumerate(events, start=1):
        if event.n != expected or event.previous_hash != previous or event.hash != event.digest():
            return expected
        previous = event.hash
    return None
