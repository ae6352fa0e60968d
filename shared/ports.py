"""What the use cases need from the outside, as contracts. Whoever implements one passes its contract suite.

All calls are synchronous and bounded in time. They raise only what `shared.domain.errors` defines:
`Unavailable` for what may work later, `OutcomeUnknown` where the effect may have happened all the same.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from shared.domain.budget import User
from shared.domain.events import Event
from shared.domain.names import Owner, Uid, WorkstationId
from shared.domain.observed import AgentView, ServiceView
from shared.domain.operations import Operation
from shared.domain.usage import Interval
from shared.domain.workstation import Activity, Backup, Workstation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A value as it was read, with the version that a compare-and-set needs. `version` is opaque; None: absent."""

    value: T
    version: object | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; `after` continues it, None ends it."""

    items: Sequence[T]
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The memory of one acting call, so that its repetition has the same effect once. Kept 24 h."""

    key: str
    owner: Owner
    body_hash: str
    operation: str
    expire_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One closed interval, and whose it is."""

    interval: Interval
    owner: Owner
    project: str
    workstation: WorkstationId


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """All that one transition writes: whole, or not at all."""

    workstation: Stored[Workstation]
    """Version None: create; otherwise compare-and-set."""
    user: Stored[User] | None = None
    event: Event | None = None
    intervals: Sequence[Interval] = ()
    operations: Sequence[Operation] = ()
    request: Request | None = None


class Records(Protocol):
    """The documents of design section 4. Reads see every write that was acknowledged before they began."""

    def workstation(self, id_: WorkstationId) -> Stored[Workstation] | None: ...

    def user(self, owner: Owner) -> Stored[User]:
        """The budget of `owner`; one without a record has spent nothing (version None)."""
        ...

    def write(self, batch: Batch) -> None:
        """Write a whole batch. The event, the intervals and the request are created, never overwritten.

        Raises AlreadyExists where the workstation or the request exists and was to be created, StaleWrite where
        a version has moved on (nothing was written), and Unavailable. When an answer is lost it finds out whether
        its own event was written: then it returns as if nothing had happened.
        """
        ...

    def save_user(self, user: Stored[User]) -> None:
        """Compare-and-set a budget alone. Raises StaleWrite, Unavailable."""
        ...

    def book(self, row: LedgerRow, user: Stored[User]) -> None:
        """Create a ledger row that belongs to no transition, with its owner's totals (compare-and-set).

        A row that is there already is its author's own, by its id: then nothing is written, and nothing is wrong.
        Raises StaleWrite, Unavailable.
        """
        ...

    def purge(self, workstation: Stored[Workstation]) -> None:
        """Forget a DELETED workstation's record, so that its name may have another life. Raises StaleWrite.

        Its events and ledger rows stay, under the uid of the life that made them.
        """
        ...

    def workstations_of(
        self, owner: Owner, *, project: str | None, limit: int, after: str | None
    ) -> Page[Workstation]:
        """The owner's workstations but for DELETED ones, ordered by id; `after` is an id."""
        ...

    def lives(self, uids: Collection[Uid]) -> Mapping[Uid, Workstation]:
        """The records of these lives, DELETED ones included; those that have none are left out."""
        ...

    def due_workstations(self, now: datetime, limit: int) -> Sequence[WorkstationId]:
        """Those with `due_at` <= now, the longest due first."""
        ...

    def due_users(self, now: datetime, limit: int) -> Sequence[Owner]: ...

    def operation(self, id_: str) -> Operation | None: ...

    def request(self, key: str) -> Request | None: ...

    def events(self, id_: WorkstationId, uid: Uid) -> Sequence[Event]:
        """The log of one life, in order."""
        ...

    def ledger(self, owner: Owner, start: datetime, end: datetime) -> Sequence[LedgerRow]:
        """The owner's rows that start in [start, end), ordered by start."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a running service bears, so that a reader knows whose command it follows, and until when."""

    epoch: int
    not_after: datetime | None


class ServiceHost(Protocol):
    """Cloud Run services. Absent is only what the Admin API says is absent: a refusal or an outage never is."""

    def get(self, cell: str, name: str) -> ServiceView | None: ...

    def create(self, workstation: Workstation) -> None:
        """Make the workstation's service at MANUAL 0. One that exists already is left as it is: look at its uid."""
        ...

    def scale_up(self, workstation: Workstation, etag: str) -> None:
        """AUTOMATIC 1..1 with the record's epoch and notAfter, in one call. Raises StaleWrite for an old etag."""
        ...

    def scale_down(self, cell: str, service: ServiceView) -> None:
        """MANUAL 0. Raises StaleWrite for an old etag."""
        ...

    def delete(self, cell: str, service: ServiceView) -> None:
        """Delete it; absent is done. Raises StaleWrite for an old etag."""
        ...

    def mark_orphan(self, cell: str, service: ServiceView, since: datetime | None) -> None:
        """Write down on it since when it has been an orphan; None takes that away, as scaling it up does.

        Raises StaleWrite for an old etag, NotFound.
        """
        ...

    def all(self, cell: str) -> Iterator[ServiceView]:
        """Every service of ours in a cell. May be up to 30 s behind."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an agent is reached, and as whom: its service's uri, name and epoch."""

    uri: str
    service: str
    epoch: int
    boot_id: str | None = None
    """Which instance is meant; None where any may answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Narrow, short-lived access to one object."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiescence:
    """The answer to a quiesce: frozen, or refused because of `activity`."""

    quiesced: bool
    dirty: bool
    activity: Activity | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What the agent says that it uploaded; believed only once the store shows the same."""

    sha256: str
    size: int
    files: int
    unchanged: bool


class Agents(Protocol):
    """The agents inside the workstations. Raises Unavailable where one cannot be reached; that is never idle.

    Every call but `look` raises OtherInstance, without an effect, where the address names an instance and another
    answers: what was seen of one that is gone must not be done to the one that follows.
    """

    def look(self, address: Address, now: datetime) -> AgentView: ...

    def load(self, address: Address, backup: Backup | None, grant: Grant | None) -> None:
        """Fill an empty instance: from a backup, or with nothing. Repeating it is harmless."""
        ...

    def quiesce(
        self, address: Address, *, idle_seconds: float | None, force: bool, reason: str
    ) -> Quiescence: ...

    def resume(self, address: Address) -> None: ...

    def save(self, address: Address, grant: Grant, known: str | None) -> Saved:
        """Upload the workspace, unless it is still what the backup with the sha256 `known` holds."""
        ...


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store itself describes it."""

    name: str
    size: int
    crc32c: str
    time: datetime


class BackupStore(Protocol):
    """The bucket of backups. Bytes never pass through here: agents use the grants."""

    def upload_grant(self, object_name: str) -> Grant:
        """Create-only, for this name alone, minutes long."""
        ...

    def download_grant(self, object_name: str) -> Grant: ...

    def stat(self, object_name: str) -> StoredObject | None: ...

    def sha256(self, object_name: str) -> str:
        """The hash of what the store really holds. Raises NotFound."""
        ...

    def list(self, prefix: str) -> Sequence[StoredObject]: ...

    def delete(self, object_name: str) -> None:
        """Absent is done."""
        ...


class Holds(Protocol):
    """The gateway's holds: requests kept open to an agent while it works without a client."""

    def begin(self, id_: WorkstationId) -> None:
        """Have a hold begun, or joined; when this returns, the record's `hold_until` lies ahead. Raises Unavailable."""
        ...


class Tokens(Protocol):
    """Google-signed ID tokens of the account that this process runs as."""

    def token(self, audience: str) -> str:
        """One made out to `audience`. Raises Unavailable."""
        ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait between two tries of one write; never for the world to change."""
        ...


class Entropy(Protocol):
    def bytes(self, count: int) -> bytes: ...

    def jitter(self) -> float:
        """Between 0 and 1."""
        ...


# --- who calls -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in user. Rights follow from `owner` and `admin`; the e-mail is for people and may be unverified."""

    owner: Owner
    email: str = ""
    admin: bool = False


class Identity(Protocol):
    """The users' tokens."""

    def verify(self, token: str) -> Caller:
        """Whose token it is. Raises Unauthenticated (TOKEN_MISSING, TOKEN_EXPIRED, TOKEN_INVALID), Unavailable."""
        ...


class ServiceIdentity(Protocol):
    """The tokens of service accounts: the scheduler's, and other parts of ours."""

    def verify(self, token: str, audience: str) -> str:
        """The e-mail of whose token it is, made out to exactly `audience`. Raises as Identity does."""
        ...
