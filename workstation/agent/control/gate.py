"""May users come in, and which epoch rules? Pure: it is told the thawed time and what goes on.

The epoch never goes down. Quiescing is decided and done in one step, and ends by itself when the
control plane makes no progress for 120 thawed seconds, so that a dead one cannot lock a user out.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from agent.activity.cpu import Busy
from agent.activity.model import Report

QUIESCE_SECONDS = 120.0


class State(StrEnum):
    """What the workstation can do now."""

    EMPTY = "EMPTY"
    LOADING = "LOADING"
    READY = "READY"
    QUIESCED = "QUIESCED"


class Gate:
    """The state of the workstation, its epoch, and the end of a quiesce."""

    def __init__(self) -> None:
        self.epoch: int | None = None
        self._state = State.EMPTY
        self._expires = 0.0
        self._at_work = 0

    def state(self, thawed: float) -> State:
        """Return the state; a quiesce without progress has ended by itself."""
        if self._state is State.QUIESCED and not self._at_work and thawed >= self._expires:
            self._state = State.READY
        return self._state

    def accept(self, epoch: int) -> bool:
        """Take a call's epoch: False if it is older than ours, else ours rises to it."""
        if self.epoch is not None and epoch < self.epoch:
            return False
        self.epoch = epoch
        return True

    def begin_loading(self) -> None:
        """EMPTY -> LOADING."""
        self._state = State.LOADING

    def end_loading(self, *, loaded: bool) -> None:
        """LOADING -> READY, or back to EMPTY."""
        self._state = State.READY if loaded else State.EMPTY

    def progress(self, thawed: float) -> None:
        """Let a quiesce last for another 120 thawed seconds."""
        self._expires = thawed + QUIESCE_SECONDS

    def work_begins(self) -> None:
        """Keep a quiesce from expiring while a save is at work."""
        self._at_work += 1

    def work_ends(self, thawed: float) -> None:
        """Let a quiesce expire again, counted from now."""
        self._at_work -= 1
        self.progress(thawed)

    def quiesce(self, thawed: float) -> None:
        """READY -> QUIESCED."""
        self._state = State.QUIESCED
        self.progress(thawed)

    def resume(self) -> None:
        """QUIESCED -> READY."""
        self._state = State.READY


def refusal(report: Report, idle: timedelta | None, at: datetime) -> str | None:
    """Return why a quiesce that is not forced must not happen now, or None."""
    if report.busy is not Busy.NO:
        return (
            "work is going on" if report.busy is Busy.YES else "it is not known yet whether work is going on"
        )
    if idle is not None and report.last is not None and at - report.last.time < idle:
        return f"the last activity is younger than {idle.total_seconds():g} s"
    return None
