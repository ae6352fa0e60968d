"""The record of a workstation: one frozen value; only `shared.domain.evolution` moves its state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.breakdown import Breakdown
from shared.domain.names import Owner, ProjectKey, Uid, WorkstationId
from shared.domain.operations import Operation
from shared.domain.policy import Policy, Priority
from shared.domain.rates import Rate
from shared.domain.sizes import Size
from shared.domain.states import Reason, State
from shared.domain.usage import OpenInterval

LONGEST_TOUCH_WINDOW = timedelta(seconds=60)


class Source(StrEnum):
    """What counts as activity. Probes, dashboards and silent connections do not."""

    EXEC = "exec"
    FILE = "file"
    TERMINAL = "terminal"
    WEBSOCKET = "websocket"
    REQUEST = "request"
    API = "api"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Activity:
    time: datetime
    source: Source
    cause: str = ""
    """Which one, for people: `python train.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the user asked for."""

    template: str
    image: str
    size_name: str
    size: Size
    port: int
    priority: Priority = Priority.NORMAL
    env: Mapping[str, str] = field(default_factory=dict)
    idle_timeout: timedelta | None = None
    stop_timeout: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The newest save that was read back and found whole."""

    object_name: str
    time: datetime
    sha256: str
    size: int
    files: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workstation:
    id: WorkstationId
    uid: Uid
    owner: Owner
    project: str
    project_key: ProjectKey
    name: str
    spec: Spec
    rate: Rate
    cell: str
    create_time: datetime
    update_time: datetime
    state: State
    state_time: datetime
    last_activity: Activity
    attended_time: datetime
    """When a person or client was last there; a busy process alone does not move it."""

    reason: Reason | None = None
    message: str = ""
    k: int = 0
    service_name: str | None = None
    uri: str | None = None
    epoch: int = 0
    boot_id: str | None = None
    session_start: datetime | None = None
    deadline: datetime | None = None
    """When the present passing state is given up."""
    not_after: datetime | None = None
    due_at: datetime | None = None
    warned_time: datetime | None = None
    """When its user was last told of a stop to come, and of which."""
    warned_reason: Reason | None = None
    wake_pending: bool = False
    """Wanted again while it stops: it is woken as soon as it has stopped."""
    failures: int = 0
    """In a row; a user's own wake, or a healthy hour, begins anew."""
    retry_at: datetime | None = None
    breakdown: Breakdown | None = None
    """What went wrong last; kept while it is retried, gone once it runs or somebody begins anew."""
    failed_time: datetime | None = None
    """When that was."""
    replaced_times: tuple[datetime, ...] = ()
    """When the platform replaced its instance of late; more often than the policy bears is a crash loop."""
    backup: Backup | None = None
    saved_time: datetime | None = None
    """When the workspace was last known to be in the backup, whether it had to be written or not."""
    at_rest: bool = False
    """Saved and frozen, and not let loose since: an instance that goes now takes nothing with it."""
    unsaved_changes: bool = False
    """An instance went with changes that no save holds."""
    interval: OpenInterval | None = None
    tallies: tuple[str, ...] = ()
    """The ids of those that were counted last, so that one whose answer was lost is not counted again."""
    operations: tuple[Operation, ...] = ()
    """Those that are not done."""
    hold_until: datetime | None = None
    event_seq: int = 0
    event_hash: str = ""
    warnings: tuple[str, ...] = ()
    """What was changed in the wish, in words."""
    purge: bool = False
    """Deleted for good: no tombstone is kept."""
    delete_time: datetime | None = None

    def idle_after(self, policy: Policy) -> timedelta:
        return self.spec.idle_timeout or policy.idle_after

    def touch_window(self, policy: Policy) -> timedelta:
        """Activity is written down at most this often; short enough for shortened timers to stay truthful."""
        return min(LONGEST_TOUCH_WINDOW, self.idle_after(policy) / 5)

    def stop_after(self, policy: Policy) -> timedelta | None:
        """Silence after which it stops; None for never (critical ones, or automatic stops switched off)."""
        by_priority = policy.stop_timeouts.of(self.spec.priority) if policy.auto_stop else None
        return by_priority and (self.spec.stop_timeout or by_priority)

    @property
    def quiet_since(self) -> datetime:
        """When the silence began. A start that took long has not used up any of it."""
        if self.state is State.RUNNING:
            return max(self.last_activity.time, self.state_time)
        return self.last_activity.time

    @property
    def has_unsaved_work(self) -> bool:
        """Whether an instance was loaded and its workspace has not been saved since the present state began."""
        return self.boot_id is not None and (self.saved_time is None or self.saved_time < self.state_time)

    @property
    def may_lose_work(self) -> bool:
        """Whether an instance that is found gone now has taken changes with it."""
        if self.boot_id is None or self.at_rest:
            return False
        return self.state is State.RUNNING or self.has_unsaved_work


def metered_from(workstation: Workstation, policy: Policy, now: datetime) -> datetime:
    """Since when an instance that was found replaced now is metered as active.

    What took an IDLE one's place was started by the platform at the active rate, while it rested and nobody looked.
    """
    if workstation.state is not State.IDLE or workstation.interval is None:
        return now
    return min(now, max(workstation.interval.start, now - policy.replacements.start))


def recent_replacements(workstation: Workstation, policy: Policy, now: datetime) -> tuple[datetime, ...]:
    """Those replacements of its instance that still count."""
    return tuple(time for time in workstation.replaced_times if now - time < policy.replacements.within)
