"""What was seen outside the record: the Cloud Run service, the agent in it, and the user's money."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.breakdown import Breakdown
from shared.domain.budget import Funds
from shared.domain.names import Uid
from shared.domain.workstation import Activity

SETTLE = timedelta(seconds=10)
"""A terminated instance has this long to exit; the API shows no instance count."""


class Scaling(StrEnum):
    ON = "ON"
    """AUTOMATIC, min 1, max 1."""
    OFF = "OFF"
    """MANUAL, 0."""
    OTHER = "OTHER"
    """Anything we never ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One Cloud Run service as the Admin API shows it."""

    name: str
    etag: str
    uid: Uid
    """From the label; another uid means that the name is not ours."""
    epoch: int
    not_after: datetime | None
    scaling: Scaling
    settled: bool
    """The last change was observed and nothing is being reconciled."""
    changed_at: datetime
    """The terminal condition's last transition."""
    uri: str
    orphan_since: datetime | None = None
    """When it was first seen without a record."""
    breakdown: Breakdown | None = None
    """Why the platform says that it does not run."""

    @property
    def gone_time(self) -> datetime | None:
        """From when on no instance can be left; None while one may run."""
        return self.changed_at + SETTLE if self.scaling is Scaling.OFF and self.settled else None

    def is_gone(self, now: datetime) -> bool:
        """Whether no instance can be left."""
        return self.gone_time is not None and now >= self.gone_time


class Phase(StrEnum):
    """The agent's own state."""

    EMPTY = "EMPTY"
    LOADING = "LOADING"
    READY = "READY"
    QUIESCED = "QUIESCED"


class Busy(StrEnum):
    YES = "YES"
    NO = "NO"
    UNKNOWN = "UNKNOWN"
    """Not measured long enough; counts as busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """The tenant's word: it never lowers a bill and never keeps a workstation beyond its bounds."""

    boot_id: str
    phase: Phase
    epoch: int | None
    busy: Busy
    last_activity: Activity | None = None
    last_client_activity: Activity | None = None
    cause: str = ""
    dirty: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """`service` None: known to be absent. `agent` None: not asked, or not reached."""

    service: ServiceView | None
    agent: AgentView | None = None
    funds: Funds
