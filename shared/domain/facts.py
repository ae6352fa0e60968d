"""What happened to a workstation, before it is written down: the input of every transition."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.breakdown import Breakdown
from shared.domain.budget import Reservation
from shared.domain.states import Kind, Reason
from shared.domain.workstation import Activity, Backup


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who made it happen: a user's id, or `sweep`, `cleanup`, `gateway`; and by which request."""

    actor: str
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened, at one time, for one reason."""

    kind: Kind
    time: datetime
    origin: Origin
    reason: Reason | None = None
    message: str = ""
    breakdown: Breakdown | None = None
    """With FAILED: what went wrong."""
    boot_id: str | None = None
    uri: str | None = None
    backup: Backup | None = None
    activity: Activity | None = None
    reservation: Reservation | None = None
    """With the facts that make a workstation run (created, woken, resumed, retried): what was admitted."""
    fresh_service: bool = False
    """The old service is gone: the next one gets a name of its own."""
    gone_time: datetime | None = None
    """When no instance was left any more, as the service shows it; None while one may run, or where none knows."""
