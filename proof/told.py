"""What a client remembers of its story: what it was told was done. The invariants hold the product to exactly that."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from proof.evidence import Document, Tree


@dataclass(frozen=True, slots=True)
class Write:
    """A file that was acknowledged as written, by its hash; None: as removed."""

    path: str
    sha256: str | None
    time: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """All files as the client read them through the gateway, between `start` and `end`."""

    start: datetime
    end: datetime
    tree: Tree


@dataclass(slots=True, kw_only=True)
class Told:
    """Grows with the story."""

    id: str = ""
    uid: str = ""
    owner: str = ""
    writes: list[Write] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    operations: dict[str, str] = field(default_factory=dict)
    """Verb by id."""
    failed: list[str] = field(default_factory=list)
    """Operations that ended in an error, in words; the client asked again."""
    internal_errors: list[str] = field(default_factory=list)
    requests: int = 0
    retried: int = 0
    rests_in: str = ""
    """The state that the story was told it ended in: STOPPED or DELETED, or PURGED where nothing may be left."""
    may_lose: bool = False
    """Whether something was killed that takes unsaved files with it."""
    acknowledged: list[float] = field(default_factory=list)
    """When an operation was done or a file was written, in seconds since the epoch."""
    seen_events: dict[int, str] = field(default_factory=dict)
    """The hashes of events that were seen while the story went on, by number."""
    seen_ledger: dict[str, Document] = field(default_factory=dict)
    """Ledger rows that were seen by then."""
    most_scaled_up: int = 0
    """How many services of this life were seen scaled up at the same time."""

    @property
    def paths(self) -> Sequence[str]:
        """Every path that was ever written."""
        return sorted({write.path for write in self.writes})
