"""Who keeps a workstation thawed while it works without a client? One holder at a time, by compare-and-set.

`hold_until` is the claim: whoever wrote its present value holds, and it lapses by itself two minutes after the last
renewal, so that a holder that dies is followed by another.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.errors import FailedPrecondition
from shared.domain.names import WorkstationId
from shared.domain.states import State
from shared.domain.workstation import Activity, Workstation
from shared.ports import Address
from shared.usecases.deps import Deps
from shared.usecases.observe import recorded_address
from shared.usecases.recording import amend, insist, read

LASTS = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One holder's hold: of what, as it was when it was claimed or renewed, until when, and where the agent is."""

    workstation: Workstation
    until: datetime
    address: Address

    @property
    def id(self) -> WorkstationId:
        return self.workstation.id


def claim(deps: Deps, id_: WorkstationId) -> Claim | None:
    """The hold, None where somebody has it already. Raises NotFound, FailedPrecondition where it does not run."""

    def attempt() -> Claim | None:
        snapshot = read(deps, id_)
        workstation = snapshot.workstation.value
        if workstation.state is not State.RUNNING:
            raise FailedPrecondition(
                f"It is {workstation.state}: there is no work to hold for.",
                "NOT_RUNNING",
                metadata={"state": workstation.state},
            )
        if workstation.hold_until and workstation.hold_until > snapshot.now:
            return None
        return _claimed(amend(deps, snapshot, replace(workstation, hold_until=snapshot.now + LASTS)))

    return insist(deps, attempt)


def renew(deps: Deps, held: Claim, cause: Activity | None) -> Claim | None:
    """The hold for two more minutes, with what keeps it busy as activity; None where it is ours no longer."""

    def attempt() -> Claim | None:
        snapshot = read(deps, held.id)
        workstation = snapshot.workstation.value
        if workstation.state is not State.RUNNING or workstation.hold_until != held.until:
            return None
        after = replace(workstation, hold_until=snapshot.now + LASTS)
        if cause and cause.time > workstation.last_activity.time:
            after = replace(after, last_activity=cause)
        return _claimed(amend(deps, snapshot, after))

    return insist(deps, attempt)


def release(deps: Deps, held: Claim) -> None:
    """Nobody holds any more, unless somebody else has begun to."""

    def attempt() -> None:
        snapshot = read(deps, held.id)
        if snapshot.workstation.value.hold_until == held.until:
            amend(deps, snapshot, replace(snapshot.workstation.value, hold_until=None))

    insist(deps, attempt)


def _claimed(workstation: Workstation) -> Claim:
    assert workstation.hold_until
    return Claim(workstation=workstation, until=workstation.hold_until, address=recorded_address(workstation))
