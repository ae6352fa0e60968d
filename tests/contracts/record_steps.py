"""What the contract's tests of the records do again and again."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

from shared.domain.errors import DormouseError
from shared.domain.events import Event
from shared.domain.names import Owner
from shared.domain.workstation import Workstation
from shared.ports import Batch, LedgerRow, Records, Stored
from tests.builders import ADA, NOW, a_workstation

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
ID = a_workstation().id


def create(records: Records, workstation: Workstation, **parts: Any) -> None:
    records.write(Batch(workstation=Stored(workstation, None), **parts))


def stored(records: Records) -> Stored[Workstation]:
    found = records.workstation(ID)
    assert found is not None
    return found


def unsigned(events: Sequence[Event]) -> list[Event]:
    """Events without what each store adds to them."""
    return [replace(event, attempt="") for event in events]


def ledger_of(records: Records, owner: Owner = ADA) -> list[LedgerRow]:
    return list(records.ledger(owner, NOW - timedelta(days=1), NOW + timedelta(days=1)))


def race(count: int, act: Callable[[int], None]) -> list[DormouseError | None]:
    """What each of `count` threads that begin together meets; None: it won."""
    start = Barrier(count)

    def run(number: int) -> DormouseError | None:
        start.wait()
        try:
            act(number)
        except DormouseError as error:
            return error
        return None

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
