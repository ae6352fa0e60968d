"""The red button: save, then stop, and nothing calls it off."""

from dataclasses import replace

from shared.domain.errors import Aborted, FailedPrecondition
from shared.domain.facts import Fact
from shared.domain.names import WorkstationId
from shared.domain.operations import Operation, Verb, fail
from shared.domain.states import Kind, Reason, State
from shared.usecases.asking import Asker, ask, settle, with_value
from shared.usecases.deps import Deps
from shared.usecases.recording import Snapshot, commit
from shared.usecases.requests import remember

CALLED_OFF = Aborted("A stop that was asked for later called it off.", "STOPPED")


def stop(deps: Deps, asker: Asker, id_: WorkstationId) -> Operation:
    """Save it, then stop it: the red button."""
    return ask(deps, asker, id_, Verb.STOP, _stop)


def _stop(deps: Deps, asker: Asker, snapshot: Snapshot, operation: Operation) -> None:
    workstation = snapshot.workstation.value
    match workstation.state:
        case State.PENDING | State.STARTING | State.RUNNING | State.IDLE:
            fact = Fact(kind=Kind.STOP_BEGUN, time=snapshot.now, origin=asker.origin, reason=Reason.USER)
            commit(deps, snapshot, fact, operation=operation, request=remember(deps, asker.call, operation))
        case State.STOPPING:
            # From now on a user wants it: nothing calls it off.
            forced = replace(workstation, reason=Reason.USER, wake_pending=False)
            settle(deps, asker, with_value(snapshot, forced), operation, done=False)
        case State.STOPPED | State.ERROR:
            called_off = tuple(fail(open_, CALLED_OFF, snapshot.now) for open_ in workstation.operations)
            resting = replace(workstation, retry_at=None, wake_pending=False, operations=())
            settle(deps, asker, with_value(snapshot, resting), operation, done=True, ended=called_off)
        case State.DELETING | State.DELETED:
            raise FailedPrecondition(
                "It is being deleted.", "DELETING", metadata={"state": workstation.state}
            )
