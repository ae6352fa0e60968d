"""Making a workstation run: admitted by its owner's budget, whatever it wakes from."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from shared.domain.budget import Reservation
from shared.domain.counting import count
from shared.domain.errors import DormouseError, FailedPrecondition
from shared.domain.facts import Fact
from shared.domain.names import WorkstationId
from shared.domain.operations import Operation, Verb
from shared.domain.states import Kind, Reason, State
from shared.domain.usage import Tally
from shared.domain.workstation import Activity, Source, Workstation, metered_from
from shared.usecases.asking import Asker, admitted, ask, settle, with_value
from shared.usecases.deps import Deps
from shared.usecases.observe import recorded_address
from shared.usecases.recording import Snapshot, commit
from shared.usecases.replace_instance import is_replaced, replacement
from shared.usecases.requests import remember


def wake(deps: Deps, asker: Asker, id_: WorkstationId) -> Operation:
    """Make it run. Raises CapReached with limit, spent and reset time."""
    return ask(deps, asker, id_, Verb.WAKE, _wake)


def _wake(deps: Deps, asker: Asker, snapshot: Snapshot, operation: Operation) -> None:
    workstation = snapshot.workstation.value
    match workstation.state:
        case State.PENDING | State.STARTING:
            settle(deps, asker, snapshot, operation, done=False)
        case State.RUNNING:
            _make_sure(deps, asker, snapshot, operation)
        case State.IDLE:
            resume(deps, asker, snapshot, Source.API, operation)
        case State.STOPPING:
            pending = replace(
                workstation, wake_pending=True, last_activity=Activity(snapshot.now, Source.API)
            )
            settle(deps, asker, with_value(snapshot, pending), operation, done=False)
        case State.STOPPED | State.ERROR:
            fact = Fact(
                kind=Kind.WOKEN,
                time=snapshot.now,
                origin=asker.origin,
                reason=Reason.USER,
                activity=Activity(snapshot.now, Source.API),
                reservation=admitted(deps, snapshot),
            )
            commit(deps, snapshot, fact, operation=operation, request=remember(deps, asker.call, operation))
        case State.DELETING | State.DELETED:
            raise FailedPrecondition(
                "It is being deleted.", "DELETING", metadata={"state": workstation.state}
            )


def _make_sure(deps: Deps, asker: Asker, snapshot: Snapshot, operation: Operation) -> None:
    """Whoever wakes a RUNNING one may have met an instance that is new, and empty."""
    if not is_replaced(deps, snapshot):
        here = Activity(snapshot.now, Source.API)
        touched = replace(snapshot.workstation.value, last_activity=here, attended_time=snapshot.now)
        # Whoever asks without end has it looked at without end: that is counted, and is in no rate.
        seen = count(touched, snapshot.user.value, Tally(touched.uid, "", 1), deps.policy, snapshot.now)
        settle(deps, asker, with_value(snapshot, seen.workstation), operation, done=True, counted=seen)
        return
    request = remember(deps, asker.call, operation)
    commit(deps, snapshot, replacement(deps, snapshot, asker.origin), operation=operation, request=request)


def resume(
    deps: Deps, asker: Asker, snapshot: Snapshot, source: Source, operation: Operation | None
) -> Workstation:
    """From IDLE to RUNNING, or, where the platform took the instance away in the meantime, to being loaded anew.

    Either way its price goes up, so it is admitted like a wake; an unspent reservation is kept as it is.
    """
    activity = Activity(snapshot.now, source)
    reservation = _carried_on(deps, snapshot, snapshot.now)
    if is_replaced(deps, snapshot):
        since = metered_from(snapshot.workstation.value, deps.policy, snapshot.now)
        reservation = _carried_on(deps, snapshot, since)
        fact = replacement(deps, snapshot, asker.origin, reservation, activity)
    else:
        fact = Fact(
            kind=Kind.RESUMED,
            time=snapshot.now,
            origin=asker.origin,
            reason=Reason.USER,
            activity=activity,
            reservation=reservation,
        )
    request = remember(deps, asker.call, operation) if operation else None
    resumed = commit(deps, snapshot, fact, operation=operation, request=request)
    if resumed.state is State.RUNNING:
        _thaw(deps, resumed)
    return resumed


def _carried_on(deps: Deps, snapshot: Snapshot, since: datetime) -> Reservation:
    """What is admitted now, up to where it was reserved before if that is long enough."""
    held = snapshot.user.value.reservations.get(snapshot.workstation.value.id)
    reservation = admitted(deps, snapshot, since)
    if held and snapshot.now + deps.policy.reserves.minimum <= held.until <= reservation.until:
        return replace(reservation, until=held.until)
    return reservation


def _thaw(deps: Deps, workstation: Workstation) -> None:
    """The agent serves again; where it cannot be told now, the next look at it repairs that."""
    with suppress(DormouseError):
        deps.agents.resume(recorded_address(workstation))
