"""Bringing one workstation and its service together: observe, decide, perform, record, until there is nothing to do.

Requests and the sweep use the same `converge`. It is idempotent and level-triggered, takes no input but the id, and
never waits for the world to change: what cannot be finished now is due again soon.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from shared.domain.actions import Purge, failure
from shared.domain.errors import NotFound, StaleWrite, Unavailable
from shared.domain.facts import Origin
from shared.domain.lifecycle import decide
from shared.domain.lifecycle.starting import is_given_up, unanswered
from shared.domain.names import WorkstationId
from shared.domain.workstation import Workstation
from shared.usecases.deps import Deps
from shared.usecases.observe import Sight, observe
from shared.usecases.perform import perform
from shared.usecases.recording import amend, commit, fact_of, insist, read

STEPS = 16
"""More than any path through the states needs; a bound against a quarrel between two deciders."""


def converge(deps: Deps, id_: WorkstationId, origin: Origin) -> Workstation:
    """The workstation after as many steps as could be taken now.

    Raises NotFound; Unavailable where the outside does not answer: whatever was begun is due again.
    """
    for _ in range(STEPS):
        sight = _observe(deps, id_, origin)
        decision = decide(sight.workstation, sight.observed, deps.policy, sight.now)
        try:
            if decision.action is None:
                return _schedule(deps, sight, decision.due_at)
            perform(deps, sight, decision.action, origin)
            if isinstance(decision.action, Purge):
                return sight.workstation
        except (StaleWrite, NotFound):
            # Something went while it was looked at; whether the record did, the next look tells.
            deps.clock.sleep(0.05 * deps.entropy.jitter())
    return read(deps, id_).workstation.value


def _observe(deps: Deps, id_: WorkstationId, origin: Origin) -> Sight:
    """A start that has had its time is given up also where the platform does not say how far it came."""
    try:
        return observe(deps, id_)
    except Unavailable as outage:
        _give_up(deps, id_, outage, origin)
        raise


def _give_up(deps: Deps, id_: WorkstationId, outage: Unavailable, origin: Origin) -> None:
    snapshot = read(deps, id_)
    if not is_given_up(snapshot.workstation.value, snapshot.now):
        return
    given_up = fact_of(failure(unanswered(outage.message)), snapshot.now, origin)
    with suppress(StaleWrite):
        commit(deps, snapshot, given_up)


def postpone(deps: Deps, id_: WorkstationId, began: datetime, until: datetime) -> None:
    """Look at a workstation that gives trouble later, so that it does not stand in the way of the others.

    The trouble was met after `began`: what was made due since then is a newer wish, and waits for nobody's trouble.
    """

    def attempt() -> None:
        snapshot = read(deps, id_)
        due_at = snapshot.workstation.value.due_at
        if due_at is not None and due_at < began:
            amend(deps, snapshot, replace(snapshot.workstation.value, due_at=until))

    insist(deps, attempt)


def _schedule(deps: Deps, sight: Sight, due_at: datetime | None) -> Workstation:
    if sight.workstation.due_at == due_at:
        return sight.workstation
    return amend(deps, sight.snapshot, replace(sight.workstation, due_at=due_at))
