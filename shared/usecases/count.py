"""Requests that were forwarded to a workstation are written down: Google has a fee for each.

A tally may be handed in again until somebody knows that it is counted; it is counted once. Only where the whole record
was forgotten after a first try whose answer was lost, it may be counted twice: never below what Google bills.
"""

from contextlib import suppress

from shared.domain.counting import count, is_counted
from shared.domain.errors import DormouseError, NotFound
from shared.domain.facts import Origin
from shared.domain.usage import Tally, of_requests
from shared.domain.workstation import Workstation
from shared.ports import LedgerRow
from shared.usecases.converge import converge
from shared.usecases.deps import Deps
from shared.usecases.recording import Snapshot, amend, book_alone, insist, read

ORIGIN = Origin(actor="gateway")


def count_requests(deps: Deps, life: Workstation, tally: Tally) -> None:
    """Count them into what is open, or, where this life has stopped or is gone by now, as a row of their own.

    Its record, where there is one, knows them either way, whatever it has woken to when they are handed in again. `life`
    is the workstation as whoever forwarded them saw it. Raises Unavailable.
    """
    insist(deps, lambda: _count(deps, life, tally))


def _count(deps: Deps, life: Workstation, tally: Tally) -> None:
    try:
        snapshot = read(deps, life.id)
    except NotFound:
        _count_alone(deps, life, tally)
        return
    found = snapshot.workstation.value
    if tally.uid != found.uid:
        _count_alone(deps, life, tally)
    elif not is_counted(found, tally):
        amend_counted(deps, snapshot, found, tally)


def amend_counted(deps: Deps, snapshot: Snapshot, after: Workstation, tally: Tally | None) -> Workstation:
    """`amend`, with the requests of `tally` where they are of this life, and it does not have them yet.

    Where they leave too little money, what that leads to is done here: the sweep may be dead.
    """
    if tally is None or tally.uid != after.uid or is_counted(after, tally):
        return amend(deps, snapshot, after)
    counted = count(after, snapshot.user.value, tally, deps.policy, snapshot.now)
    written = amend(deps, snapshot, counted.workstation, counted=counted)
    if counted.is_short:
        with suppress(DormouseError):
            return converge(deps, written.id, ORIGIN)
    return written


def _count_alone(deps: Deps, life: Workstation, tally: Tally) -> None:
    row = of_requests(tally, life.epoch, life.rate.requests, deps.clock.now())
    book_alone(deps, LedgerRow(interval=row, owner=life.owner, project=life.project, workstation=life.id))
