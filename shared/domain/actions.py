"""What a decision may ask for: the closed set that `shared.usecases.perform` has one function for each of."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.breakdown import Breakdown
from shared.domain.states import Kind, Reason
from shared.domain.workstation import Activity


@dataclass(frozen=True, slots=True)
class CreateService:
    """Make the service that the record names, at MANUAL 0."""


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """AUTOMATIC, 1..1, with the record's epoch and notAfter."""


@dataclass(frozen=True, slots=True)
class ScaleDown:
    """MANUAL, 0."""


@dataclass(frozen=True, slots=True)
class DeleteService:
    """Delete the service, under the etag that was seen."""


@dataclass(frozen=True, slots=True)
class Purge:
    """Forget the record: its name is free again."""


@dataclass(frozen=True, slots=True)
class Load:
    """Hand the empty instance its workspace."""


@dataclass(frozen=True, slots=True)
class Save:
    """Quiesce and save; `force` where it may not be refused."""

    force: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """Quiesce (refused when busy), save, and record IDLE."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Let a quiesced agent serve again."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Have the gateway keep a request open, so that work without a client has CPU."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Reserve up to `until`, then tell the service."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Touch:
    """Write down activity that the agent saw."""

    activity: Activity
    attended: bool


@dataclass(frozen=True, slots=True)
class Admit:
    """Run again (woken, retried) if the user's money allows."""

    kind: Kind
    fresh_service: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Nothing to do but to write down what is so."""

    kind: Kind
    reason: Reason | None = None
    message: str = ""
    breakdown: Breakdown | None = None
    """With FAILED: what went wrong."""


Action = (
    CreateService
    | ScaleUp
    | ScaleDown
    | DeleteService
    | Purge
    | Load
    | Save
    | Rest
    | Resume
    | Hold
    | Renew
    | Touch
    | Admit
    | Record
)


@dataclass(frozen=True, slots=True)
class Decision:
    """At most one action, and when to look again if nothing else happens. None: not before somebody asks."""

    action: Action | None
    due_at: datetime | None


def failure(breakdown: Breakdown) -> Record:
    """That it is an ERROR from here on, and why."""
    return Record(Kind.FAILED, breakdown.reason, breakdown.text, breakdown)
