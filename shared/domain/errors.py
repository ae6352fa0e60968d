"""What can go wrong, in google.rpc's words, so that API, adapters and emulators share one vocabulary.

DormouseError
├── InvalidArgument      bad input; carries every violation at once
├── Unauthenticated      no proof of who calls
├── PermissionDenied     known caller, not allowed (never used where existence is secret: that is NotFound)
├── NotFound
├── AlreadyExists
├── Aborted              somebody else was faster
│   └── StaleWrite       the record moved on between read and write; read again
│       └── OtherInstance  another instance answers than the one that was meant
├── FailedPrecondition   not in this state
│   └── InvalidTransition
├── ResourceExhausted
│   └── CapReached       a user's day or month is spent; carries limit, spent and reset time
└── Unavailable          try again later
    ├── OutcomeUnknown   the call may have worked; read the truth
    └── Broken           the workstation is in ERROR; carries what to do and the last lines of its log
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from shared.domain.money import Micros, usd


@dataclass(frozen=True)
class Violation:
    """One bad field: its path as the caller wrote it, and what would be right."""

    field: str
    description: str


@dataclass(eq=False)
class DormouseError(Exception):
    """An error that a caller can act upon: what happened, why, and what to do next."""

    message: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: timedelta | None = None

    code: ClassVar[str] = "INTERNAL"

    def __str__(self) -> str:
        return self.message


@dataclass(eq=False)
class InvalidArgument(DormouseError):
    violations: tuple[Violation, ...] = ()

    code = "INVALID_ARGUMENT"


class Unauthenticated(DormouseError):
    code = "UNAUTHENTICATED"


class PermissionDenied(DormouseError):
    code = "PERMISSION_DENIED"


class NotFound(DormouseError):
    code = "NOT_FOUND"


class AlreadyExists(DormouseError):
    code = "ALREADY_EXISTS"


class Aborted(DormouseError):
    code = "ABORTED"


class StaleWrite(Aborted):
    """The record changed since it was read; nothing was written."""


class OtherInstance(StaleWrite):
    """The platform took the instance away that a call was meant for; nothing was done in the one that answered."""


class FailedPrecondition(DormouseError):
    code = "FAILED_PRECONDITION"


class InvalidTransition(FailedPrecondition):
    """No row of the transition table leads from this state by this fact."""


class ResourceExhausted(DormouseError):
    code = "RESOURCE_EXHAUSTED"


@dataclass(eq=False)
class CapReached(ResourceExhausted):
    limit: Micros = Micros(0)
    spent: Micros = Micros(0)
    reset_time: datetime | None = None

    @classmethod
    def of(cls, reason: str, limit: Micros, spent: Micros, reset_time: datetime) -> "CapReached":
        period = "daily" if reason == "daily_cap" else "monthly"
        return cls(
            f"The {period} limit of {usd(limit)} leaves too little to run: {usd(spent)} is spent or reserved. "
            f"It resets at {reset_time:%Y-%m-%dT%H:%M:%SZ}; stop another workstation to free its reservation.",
            reason=reason.upper(),
            metadata={
                "limitMicros": str(limit),
                "spentMicros": str(spent),
                "resetTime": f"{reset_time:%Y-%m-%dT%H:%M:%SZ}",
            },
            limit=limit,
            spent=spent,
            reset_time=reset_time,
        )


class Unavailable(DormouseError):
    code = "UNAVAILABLE"


class OutcomeUnknown(Unavailable):
    """The answer was lost; the effect may have happened."""


@dataclass(eq=False)
class Broken(Unavailable):
    help: str = ""
    log: tuple[str, ...] = ()
