"""The platform took an instance away and started another: whoever meets the empty one first writes that down."""

from dataclasses import replace

from shared.domain.budget import Reservation
from shared.domain.errors import Unavailable
from shared.domain.facts import Fact, Origin
from shared.domain.lifecycle.replaced import replaced
from shared.domain.names import WorkstationId
from shared.domain.states import Kind, State
from shared.domain.workstation import Activity, Workstation, metered_from
from shared.usecases.asking import admitted
from shared.usecases.deps import Deps
from shared.usecases.observe import recorded_address
from shared.usecases.recording import Snapshot, commit, fact_of, insist, read


def replace_instance(deps: Deps, id_: WorkstationId, origin: Origin) -> Workstation:
    """The record, back in STARTING where its agent is not the one that was loaded; what runs then is loaded anew.

    Raises NotFound; Unavailable where the agent does not answer; CapReached where it was IDLE and the money is short.
    """
    return insist(deps, lambda: _replace(deps, id_, origin))


def _replace(deps: Deps, id_: WorkstationId, origin: Origin) -> Workstation:
    snapshot = read(deps, id_)
    workstation = snapshot.workstation.value
    if (
        workstation.state not in (State.RUNNING, State.IDLE)
        or _boot_seen(deps, snapshot) == workstation.boot_id
    ):
        return workstation
    # An IDLE one that is loaded anew costs more than was reserved for it.
    since = metered_from(workstation, deps.policy, snapshot.now)
    reservation = admitted(deps, snapshot, since) if workstation.state is State.IDLE else None
    return commit(deps, snapshot, replacement(deps, snapshot, origin, reservation))


def is_replaced(deps: Deps, snapshot: Snapshot) -> bool:
    """Whether another instance answers than the one that was loaded. One that cannot be reached has said nothing."""
    try:
        return _boot_seen(deps, snapshot) != snapshot.workstation.value.boot_id
    except Unavailable:
        return False


def replacement(
    deps: Deps,
    snapshot: Snapshot,
    origin: Origin,
    reservation: Reservation | None = None,
    activity: Activity | None = None,
) -> Fact:
    """That it was replaced, or once too often. `reservation` is for one that was IDLE, `activity` whoever came."""
    record = replaced(snapshot.workstation.value, deps.policy, snapshot.now)
    fact = fact_of(record, snapshot.now, origin)
    if record.kind is not Kind.REPLACED:
        return fact
    return replace(fact, reservation=reservation, activity=activity)


def _boot_seen(deps: Deps, snapshot: Snapshot) -> str:
    return deps.agents.look(recorded_address(snapshot.workstation.value), snapshot.now).boot_id
