"""The words of a round: which story is told, who may be killed, and at which call."""

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """What the user does; every story begins with a provision and files."""

    STOP_AND_WAKE = "stop, wake, change, stop"
    GO_AWAY = "silence until it stops, then a visit"
    CHANGE_OF_MIND = "wake while it stops"
    DELETE_RUNNING = "delete while it runs"
    DELETE_STOPPED = "stop, then delete"
    PURGE_RUNNING = "purge while it runs"


class Victim(StrEnum):
    """Who is killed. The workers are the processes below a function's server, which starts them anew by itself."""

    API = "api"
    API_WORKER = "api worker"
    SWEEP = "sweep"
    SWEEP_WORKER = "sweep worker"
    CLEANUP = "cleanup"
    GATEWAY = "gateway"
    CLOUD_RUN = "cloud_run"
    CLOUD_STORAGE = "cloud_storage"
    IDENTITY = "identity"
    CLOUD_SCHEDULER = "cloud_scheduler"
    INSTANCE = "instance"
    FIRESTORE = "firestore (frozen)"

    @property
    def component(self) -> str:
        """The component that it is, or belongs to."""
        return self.value.split(" ")[0]

    @property
    def takes_files(self) -> bool:
        """Whether what was not saved yet dies with it."""
        return self in (Victim.INSTANCE, Victim.CLOUD_RUN)


class Moment(StrEnum):
    BEFORE = "before"
    """The call has not reached anybody yet."""
    AFTER = "after"
    """The call has been answered; the answer has not gone back yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """Kill `victim` at the `ordinal`-th call of this name by `caller`; an empty caller is any."""

    victim: Victim
    caller: str
    call: str
    ordinal: int
    moment: Moment

    def __str__(self) -> str:
        whose = f" by {self.caller}" if self.caller else ""
        return f"{self.victim} {self.moment} {self.call} #{self.ordinal}{whose}"
