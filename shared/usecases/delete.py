"""Saving, then deleting the service; a tombstone stays for a while unless it is purged."""

from contextlib import suppress
from dataclasses import replace

from shared.domain.errors import DormouseError
from shared.domain.facts import Fact
from shared.domain.names import WorkstationId
from shared.domain.operations import Operation, Verb
from shared.domain.states import Kind, Reason, State
from shared.usecases.asking import Asker, ask, settle, with_value
from shared.usecases.converge import converge
from shared.usecases.deps import Deps
from shared.usecases.recording import Snapshot, commit
from shared.usecases.requests import remember


def delete(deps: Deps, asker: Asker, id_: WorkstationId, *, purge: bool) -> Operation:
    """Save it, then delete its service. A tombstone stays unless `purge`."""

    def step(deps: Deps, asker: Asker, snapshot: Snapshot, operation: Operation) -> None:
        _delete(deps, asker, snapshot, operation, purge=purge)

    return ask(deps, asker, id_, Verb.DELETE, step, purge=purge)


def _delete(deps: Deps, asker: Asker, snapshot: Snapshot, operation: Operation, *, purge: bool) -> None:
    workstation = snapshot.workstation.value
    marked = with_value(snapshot, replace(workstation, purge=purge or workstation.purge))
    match workstation.state:
        case State.DELETING:
            settle(deps, asker, marked, operation, done=False)
        case State.DELETED:
            settle(deps, asker, marked, operation, done=True)
            with suppress(DormouseError):  # the sweep frees the name otherwise
                converge(deps, workstation.id, asker.origin)
        case _:
            fact = Fact(kind=Kind.DELETE_BEGUN, time=snapshot.now, origin=asker.origin, reason=Reason.USER)
            commit(deps, marked, fact, operation=operation, request=remember(deps, asker.call, operation))
