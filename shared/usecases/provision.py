"""Recording a new workstation with its reservation and its first operation; the service follows the record."""

from shared.domain.catalog import Wish, check
from shared.domain.errors import AlreadyExists
from shared.domain.facts import Fact
from shared.domain.names import Owner, project_key, region_of, uid_from, workstation_id
from shared.domain.operations import Operation, Verb
from shared.domain.rates import rate_for
from shared.domain.states import Kind, Reason, State
from shared.domain.workstation import Activity, Source, Workstation
from shared.ports import Stored
from shared.usecases.asking import Asker, admitted, begin
from shared.usecases.deps import Deps
from shared.usecases.recording import Snapshot, commit, insist
from shared.usecases.rehearsal import Rehearsal, rehearsed
from shared.usecases.requests import once, remember


def provision(deps: Deps, asker: Asker, wish: Wish) -> Operation:
    """Record a new workstation and its reservation; the service follows the record.

    Raises InvalidArgument with every bad field, AlreadyExists, CapReached.
    """

    def effect() -> Operation:
        blank = _blank(deps, asker.owner, wish)
        return insist(deps, lambda: _create(deps, asker, blank))

    return once(deps, asker.call, effect)


def rehearse_provision(deps: Deps, asker: Asker, wish: Wish) -> Rehearsal:
    """Every check of a provision, and its price; raises what it would raise."""
    snapshot = _free(deps, _blank(deps, asker.owner, wish))
    admitted(deps, snapshot)
    return rehearsed(snapshot)


def _blank(deps: Deps, owner: Owner, wish: Wish) -> Workstation:
    """A record before its first event."""
    checked = check(wish, deps.catalog)
    now = deps.clock.now()
    return Workstation(
        id=workstation_id(owner, wish.project, wish.name),
        uid=uid_from(deps.entropy.bytes(13)),
        owner=owner,
        project=wish.project,
        project_key=project_key(owner, wish.project),
        name=wish.name,
        spec=checked.spec,
        rate=rate_for(deps.catalog.card, checked.spec.size, region_of(deps.cell)),
        cell=deps.cell,
        create_time=now,
        update_time=now,
        state=State.PENDING,
        state_time=now,
        last_activity=Activity(now, Source.API),
        attended_time=now,
        warnings=checked.warnings,
    )


def _free(deps: Deps, blank: Workstation) -> Snapshot:
    """Raises AlreadyExists where the name is taken."""
    existing = deps.records.workstation(blank.id)
    if existing:
        raise _taken(existing.value)
    return Snapshot(
        workstation=Stored(blank, None), user=deps.records.user(blank.owner), now=deps.clock.now()
    )


def _create(deps: Deps, asker: Asker, blank: Workstation) -> Operation:
    snapshot = _free(deps, blank)
    operation = begin(deps, blank, Verb.CREATE)
    fact = Fact(
        kind=Kind.CREATED,
        time=snapshot.now,
        origin=asker.origin,
        reason=Reason.USER,
        reservation=admitted(deps, snapshot),
    )
    commit(deps, snapshot, fact, operation=operation, request=remember(deps, asker.call, operation))
    return deps.records.operation(operation.id) or operation


def _taken(existing: Workstation) -> AlreadyExists:
    if existing.state is State.DELETED:
        return AlreadyExists(
            "A deleted workstation holds this name. Bring it back by :undelete, or free the name by "
            f"DELETE /v1/workstations/{existing.id}?purge=true.",
            "DELETED_WORKSTATION_EXISTS",
            metadata={"workstation": existing.id},
        )
    return AlreadyExists(
        f"Your project has a workstation of this name: {existing.id}, {existing.state}.",
        "WORKSTATION_EXISTS",
        metadata={"workstation": existing.id, "state": existing.state},
    )
