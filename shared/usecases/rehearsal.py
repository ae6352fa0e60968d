"""validateOnly: every check of a verb, its price, and no effect."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.budget import User
from shared.domain.errors import FailedPrecondition
from shared.domain.names import WorkstationId
from shared.domain.operations import Verb
from shared.domain.states import State
from shared.domain.workstation import Workstation
from shared.usecases.asking import Asker, admitted, describe, match_etag
from shared.usecases.deps import Deps
from shared.usecases.recording import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """The workstation as the verb would find it, and its owner's money."""

    workstation: Workstation
    user: User
    now: datetime


def rehearse(deps: Deps, asker: Asker, id_: WorkstationId, verb: Verb) -> Rehearsal:
    """Raises what the verb itself would raise."""
    snapshot = describe(deps, asker.owner, id_)
    workstation = snapshot.workstation.value
    match_etag(workstation, asker.etag)
    if workstation.state is State.DELETING and verb is not Verb.DELETE:
        raise FailedPrecondition("It is being deleted.", "DELETING", metadata={"state": workstation.state})
    if verb is Verb.WAKE:
        admitted(deps, snapshot)
    return rehearsed(snapshot)


def rehearsed(snapshot: Snapshot) -> Rehearsal:
    return Rehearsal(workstation=snapshot.workstation.value, user=snapshot.user.value, now=snapshot.now)
