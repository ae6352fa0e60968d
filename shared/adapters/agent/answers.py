"""What did the agent answer? Shapes that are checked, and their meaning in the domain's words.

Code of the tenant can answer in the agent's place, so nothing here is believed beyond its type: texts are cut,
and what happened "in the future" happened now.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from shared.domain.observed import AgentView, Busy, Phase
from shared.domain.workstation import Activity, Source
from shared.ports import Quiescence, Saved

Count = Annotated[int, Meta(ge=0)]
Time = Annotated[datetime, Meta(tz=True)]
_CAUSE_LENGTH = 200


class Answer(Struct, frozen=True, rename="camel"):
    """Fields as the agent writes them; more than these are ignored."""


class Touch(Answer, frozen=True):
    time: Time
    source: Source


class Cause(Answer, frozen=True):
    source: Source = Source.PROCESS
    name: str = ""


class Look(Answer, frozen=True):
    """GET /-/activity"""

    boot_id: Annotated[str, Meta(min_length=1, max_length=128)]
    state: Phase
    busy: Busy
    epoch: Count | None = None
    last_activity: Touch | None = None
    last_client_activity: Touch | None = None
    causes: Sequence[Cause] = ()
    dirty: bool = True


class Frozen(Answer, frozen=True):
    """POST /-/quiesce, 200"""

    quiesced: Literal[True]
    last_activity: Touch | None = None
    dirty: bool = True


class Refused(Answer, frozen=True):
    """POST /-/quiesce, 409"""

    quiesced: Literal[False]
    reason: str = ""
    busy: Busy | None = None
    last_activity: Touch | None = None
    causes: Sequence[Cause] = ()


class Loaded(Answer, frozen=True):
    """POST /-/load, 200"""

    state: Literal["READY"]


class Upload(Answer, frozen=True):
    """POST /-/save, 200"""

    state: Literal["SAVED"]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    size: Count
    files: Count
    unchanged: bool = False


class Detail(Answer, frozen=True):
    reason: str = ""


class Failure(Answer, frozen=True):
    message: str = ""
    details: Sequence[Detail] = ()


class Failed(Answer, frozen=True):
    """Any answer that says no."""

    error: Failure = msgspec.field(default_factory=Failure)
    reason: str = ""


def agent_view(look: Look, now: datetime) -> AgentView:
    """What the agent shows of itself, as of `now`."""
    return AgentView(
        boot_id=look.boot_id,
        phase=look.state,
        epoch=look.epoch,
        busy=look.busy,
        last_activity=_activity(look.last_activity, now),
        last_client_activity=_activity(look.last_client_activity, now),
        cause=_named(look.causes),
        dirty=look.dirty,
    )


def frozen(answer: Frozen, now: datetime) -> Quiescence:
    """It froze."""
    return Quiescence(quiesced=True, dirty=answer.dirty, activity=_activity(answer.last_activity, now))


def refused(answer: Refused, now: datetime) -> Quiescence:
    """It did not, because of work that goes on now, or because of recent activity."""
    cause = _named(answer.causes)
    activity = _activity(answer.last_activity, now)
    if answer.busy in (Busy.YES, Busy.UNKNOWN):
        source = answer.causes[0].source if answer.causes else Source.PROCESS
        activity = Activity(now, source, cause)
    return Quiescence(quiesced=False, dirty=True, activity=activity, cause=cause or cut(answer.reason))


def saved(answer: Upload) -> Saved:
    """What it says that it uploaded."""
    return Saved(sha256=answer.sha256, size=answer.size, files=answer.files, unchanged=answer.unchanged)


def cut(text: str) -> str:
    """Text of the tenant's, on one line of bearable length."""
    return " ".join(text.split())[:_CAUSE_LENGTH]


def _named(causes: Sequence[Cause]) -> str:
    return cut(", ".join(cause.name or cause.source for cause in causes[:5]))


def _activity(touch: Touch | None, now: datetime) -> Activity | None:
    return None if touch is None else Activity(min(touch.time, now), touch.source)
