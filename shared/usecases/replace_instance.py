"""The platform took an instance away and started another: whoever meets the empty one first writes that down."""

from shared.domain.errors import Unavailable
from shared.domain.facts import Fact, Origin
from shared.domain.lifecycle.alive import REPLACED
from shared.domain.names import WorkstationId
from shared.domain.states import State
from shared.domain.workstation import Workstation
from shared.ports import Address
from shared.usecases.deps import Deps
from shared.usecases.recording import Snapshot, commit, insist, read


def replace_instance(deps: Deps, id_: WorkstationId, origin: Origin) -> Workstation:
    """The record, back in STARTING where its agent is not the one that was loaded; what runs then is loaded anew.

    Raises NotFound; Unavailable where the agent does not answer.
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
    return commit(deps, snapshot, replacement(snapshot, origin))


def is_replaced(deps: Deps, snapshot: Snapshot) -> bool:
    """Whether another instance answers than the one that was loaded. One that cannot be reached has said nothing."""
    try:
        return _boot_seen(deps, snapshot) != snapshot.workstation.value.boot_id
    except Unavailable:
        return False


def replacement(snapshot: Snapshot, origin: Origin) -> Fact:
    return Fact(
        kind=REPLACED.kind,
        time=snapshot.now,
        origin=origin,
        reason=REPLACED.reason,
        message=REPLACED.message,
    )


def _boot_seen(deps: Deps, snapshot: Snapshot) -> str:
    workstation = snapshot.workstation.value
    assert workstation.uri
    assert workstation.service_name
    address = Address(uri=workstation.uri, service=workstation.service_name, epoch=workstation.epoch)
    return deps.agents.look(address, snapshot.now).boot_id
