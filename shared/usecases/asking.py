"""How a user's wish meets a workstation: who asks, whether it is theirs, and what is under way already.

A verb that finds its work under way joins it: the same operation, no second effect, no conflict for the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.budget import Reservation, admit
from shared.domain.counting import Counted
from shared.domain.errors import Aborted, NotFound
from shared.domain.events import Event, broken_link
from shared.domain.facts import Origin
from shared.domain.names import Owner, WorkstationId, uid_from
from shared.domain.operations import Operation, Verb
from shared.domain.states import COUNTED, State
from shared.domain.workstation import Workstation
from shared.ports import Page
from shared.usecases.deps import Deps
from shared.usecases.estimate import etag_of
from shared.usecases.recording import Snapshot, amend, insist, read
from shared.usecases.requests import Call, once, remember


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, by which call, and which version of the workstation the wish is about (empty: any)."""

    owner: Owner
    call: Call
    etag: str = ""
    request_id: str = ""
    """Of this one HTTP request, for the log; `call.request_id` is the caller's own, for repetitions."""

    @property
    def origin(self) -> Origin:
        return Origin(actor=self.owner, request_id=self.request_id)


def describe(deps: Deps, owner: Owner, id_: WorkstationId) -> Snapshot:
    """The workstation, to its owner alone: another's is as absent as one that never was. Raises NotFound."""
    snapshot = read(deps, id_)
    found = snapshot.workstation.value
    if found.owner != owner or found.state is State.DELETED:
        raise NotFound("There is no such workstation.", "WORKSTATION_NOT_FOUND")
    return snapshot


def list_of(
    deps: Deps, owner: Owner, project: str | None, limit: int, after: str | None
) -> Page[Workstation]:
    return deps.records.workstations_of(owner, project=project, limit=limit, after=after)


Step = Callable[[Deps, Asker, Snapshot, Operation], None]


def log_of(deps: Deps, owner: Owner, id_: WorkstationId) -> tuple[Sequence[Event], bool]:
    """The audit log of this life, and whether its chain is whole."""
    workstation = describe(deps, owner, id_).workstation.value
    events = deps.records.events(id_, workstation.uid)
    return events, broken_link(list(events)) is None and len(events) >= workstation.event_seq


def ask(
    deps: Deps, asker: Asker, id_: WorkstationId, verb: Verb, step: Step, *, purge: bool = False
) -> Operation:
    """Join what is under way, or begin it. The same request id has the same effect once. `purge` finds tombstones."""

    def attempt() -> Operation:
        snapshot = read(deps, id_) if purge else describe(deps, asker.owner, id_)
        workstation = snapshot.workstation.value
        if workstation.owner != asker.owner:
            raise NotFound("There is no such workstation.", "WORKSTATION_NOT_FOUND")
        match_etag(workstation, asker.etag)
        if joined := _under_way(workstation, verb, purge=purge):
            if request := remember(deps, asker.call, joined):
                amend(deps, snapshot, workstation, request=request)
            return joined
        operation = begin(deps, workstation, verb)
        step(deps, asker, snapshot, operation)
        return deps.records.operation(operation.id) or operation

    return once(deps, asker.call, lambda: insist(deps, attempt))


def _under_way(workstation: Workstation, verb: Verb, *, purge: bool) -> Operation | None:
    """What already leads to all that is wished for. The last wish counts: nothing joins what a later one called off."""
    match verb:
        case Verb.WAKE:
            same, leads = {Verb.WAKE, Verb.CREATE}, workstation.wake_pending or workstation.state in COUNTED
        case Verb.STOP:
            same, leads = {verb}, not workstation.wake_pending
        case _:
            same, leads = {verb}, workstation.purge or not purge
    return next((open_ for open_ in workstation.operations if leads and open_.verb in same), None)


def settle(
    deps: Deps,
    asker: Asker,
    snapshot: Snapshot,
    operation: Operation,
    *,
    done: bool,
    ended: Sequence[Operation] = (),
    counted: Counted | None = None,
) -> None:
    """The workstation is there already, or on its way: only the operation is new, and others may have `ended`.

    `counted` is what calls to it on the way have cost, where there were any.
    """
    workstation = snapshot.workstation.value
    if done:
        operation = replace(operation, done_time=snapshot.now)
    else:
        workstation = replace(workstation, operations=(*workstation.operations, operation))
    after = replace(workstation, due_at=snapshot.now)
    request = remember(deps, asker.call, operation)
    amend(deps, snapshot, after, operations=(operation, *ended), request=request, counted=counted)


def with_value(snapshot: Snapshot, workstation: Workstation) -> Snapshot:
    """The snapshot with another value under the same version."""
    return replace(snapshot, workstation=replace(snapshot.workstation, value=workstation))


def admitted(deps: Deps, snapshot: Snapshot, since: datetime | None = None) -> Reservation:
    """What a wake reserves, metered from `since` on. Raises CapReached."""
    workstation, user = snapshot.workstation.value, snapshot.user.value
    caps = user.caps(deps.policy.caps)
    rate = workstation.rate.active
    return admit(user, caps, deps.policy.reserves, workstation.id, rate, snapshot.now, since)


def begin(deps: Deps, workstation: Workstation, verb: Verb) -> Operation:
    return Operation(
        id=f"op-{uid_from(deps.entropy.bytes(13))}",
        owner=workstation.owner,
        workstation=workstation.id,
        uid=workstation.uid,
        verb=verb,
        create_time=deps.clock.now(),
    )


def match_etag(workstation: Workstation, etag: str) -> None:
    if etag and etag.strip('"') != etag_of(workstation):
        raise Aborted(
            "The workstation has changed since you read it; read it again and decide anew.",
            "ETAG_MISMATCH",
            metadata={"etag": etag_of(workstation)},
        )
