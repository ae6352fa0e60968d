"""Somebody is there: the idle clock starts anew."""

from dataclasses import replace

from shared.domain.errors import FailedPrecondition
from shared.domain.names import WorkstationId
from shared.domain.states import State
from shared.domain.usage import Tally
from shared.domain.workstation import Activity, Source, Workstation
from shared.usecases.asking import Asker, describe
from shared.usecases.count import amend_counted
from shared.usecases.deps import Deps
from shared.usecases.recording import Snapshot, insist
from shared.usecases.wake import resume


def keep_alive(
    deps: Deps,
    asker: Asker,
    id_: WorkstationId,
    source: Source = Source.API,
    tally: Tally | None = None,
) -> Workstation:
    """The user is there: the idle clock starts anew, IDLE becomes RUNNING. Raises FailedPrecondition where it sleeps.

    Where that is a write, the requests of `tally` are in it; the record's `tallies` say so.
    """
    return insist(deps, lambda: _touch(deps, asker, describe(deps, asker.owner, id_), source, tally))


def _touch(deps: Deps, asker: Asker, snapshot: Snapshot, source: Source, tally: Tally | None) -> Workstation:
    workstation, now = snapshot.workstation.value, snapshot.now
    match workstation.state:
        case State.IDLE:
            return resume(deps, asker, snapshot, source, None)
        case State.PENDING | State.STARTING | State.RUNNING | State.STOPPING:
            if (
                now - workstation.last_activity.time < workstation.touch_window(deps.policy)
                and workstation.state is State.RUNNING
            ):
                return workstation
            activity = Activity(now, source)
            touched = replace(workstation, last_activity=activity, attended_time=now)
            return amend_counted(deps, snapshot, touched, tally)
        case _:
            raise FailedPrecondition(
                f"It is {workstation.state}; wake it with POST /v1/workstations/{workstation.id}:wake.",
                "NOT_RUNNING",
                metadata={"state": workstation.state},
            )
