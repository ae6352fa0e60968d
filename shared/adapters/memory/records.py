"""What would Firestore do? The port `Records` in dictionaries under one lock, with the same answers and refusals.

Values are frozen, so they are kept as they are. A version is the number of the write that made it; as in Firestore, a
write that changes nothing makes none.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from threading import Lock
from typing import TypeVar

from shared.domain.budget import User
from shared.domain.errors import AlreadyExists, StaleWrite
from shared.domain.events import Event
from shared.domain.names import Owner, Uid, WorkstationId
from shared.domain.operations import Operation
from shared.domain.states import State
from shared.domain.workstation import Workstation
from shared.ports import Batch, LedgerRow, Page, Request, Stored

T = TypeVar("T")
K = TypeVar("K")
D = TypeVar("D", Workstation, User)


class MemoryRecords:
    """`Records` for tests and simulation; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._versions = count(1)
        self._workstations: dict[WorkstationId, Stored[Workstation]] = {}
        self._users: dict[Owner, Stored[User]] = {}
        self._events: dict[tuple[WorkstationId, str], Event] = {}
        self._ledger: dict[str, LedgerRow] = {}
        self._operations: dict[str, Operation] = {}
        self._requests: dict[str, Request] = {}

    def workstation(self, id_: WorkstationId) -> Stored[Workstation] | None:
        with self._lock:
            return self._workstations.get(id_)

    def user(self, owner: Owner) -> Stored[User]:
        with self._lock:
            return self._users.get(owner) or Stored(User(owner=owner), None)

    def operation(self, id_: str) -> Operation | None:
        with self._lock:
            return self._operations.get(id_)

    def request(self, key: str) -> Request | None:
        with self._lock:
            return self._requests.get(key)

    def write(self, batch: Batch) -> None:
        with self._lock:
            self._admit(batch)
            self._apply(batch)

    def save_user(self, user: Stored[User]) -> None:
        with self._lock:
            _unchanged(self._users.get(user.value.owner), user)
            self._keep(self._users, user.value.owner, user.value)

    def book(self, row: LedgerRow, user: Stored[User]) -> None:
        with self._lock:
            if row.interval.id in self._ledger:
                return
            _unchanged(self._users.get(user.value.owner), user)
            self._keep(self._users, user.value.owner, user.value)
            self._ledger[row.interval.id] = row

    def purge(self, workstation: Stored[Workstation]) -> None:
        with self._lock:
            _unchanged(self._workstations.get(workstation.value.id), workstation)
            del self._workstations[workstation.value.id]

    def workstations_of(
        self, owner: Owner, *, project: str | None, limit: int, after: str | None
    ) -> Page[Workstation]:
        def wanted(found: Workstation) -> bool:
            return (
                found.owner == owner
                and found.state is not State.DELETED
                and project in (None, found.project)
                and (after is None or found.id > after)
            )

        with self._lock:
            found = sorted(filter(wanted, _values(self._workstations.values())), key=lambda each: each.id)
        items = found[:limit]
        return Page(items, items[-1].id if len(found) > limit else None)

    def lives(self, uids: Collection[Uid]) -> Mapping[Uid, Workstation]:
        with self._lock:
            return {each.uid: each for each in _values(self._workstations.values()) if each.uid in uids}

    def due_workstations(self, now: datetime, limit: int) -> Sequence[WorkstationId]:
        with self._lock:
            return [
                each.id for each in _due(_values(self._workstations.values()), now, lambda w: w.id)[:limit]
            ]

    def due_users(self, now: datetime, limit: int) -> Sequence[Owner]:
        with self._lock:
            return [
                each.owner for each in _due(_values(self._users.values()), now, lambda u: u.owner)[:limit]
            ]

    def events(self, id_: WorkstationId, uid: Uid) -> Sequence[Event]:
        with self._lock:
            found = [event for (of, _), event in self._events.items() if of == id_ and event.uid == uid]
        return sorted(found, key=lambda event: event.n)

    def ledger(self, owner: Owner, start: datetime, end: datetime) -> Sequence[LedgerRow]:
        with self._lock:
            found = [
                row
                for row in self._ledger.values()
                if row.owner == owner and start <= row.interval.start < end
            ]
        return sorted(found, key=lambda row: (row.interval.start, row.interval.id))

    def _admit(self, batch: Batch) -> None:
        """Whether all of it may be written; nothing is yet."""
        workstation = batch.workstation
        if batch.request and batch.request.key in self._requests:
            raise AlreadyExists(
                "This request was made before; its operation has the answer.", "REQUEST_EXISTS"
            )
        if workstation.version is None and workstation.value.id in self._workstations:
            raise AlreadyExists("The workstation exists already.", "WORKSTATION_EXISTS")
        _unchanged(self._workstations.get(workstation.value.id), workstation)
        if batch.user:
            _unchanged(self._users.get(batch.user.value.owner), batch.user)
        if batch.event and (workstation.value.id, batch.event.id) in self._events:
            raise _stale()
        if any(row.id in self._ledger for row in batch.intervals):
            raise _stale()

    def _apply(self, batch: Batch) -> None:
        workstation = batch.workstation.value
        self._keep(self._workstations, workstation.id, workstation)
        if batch.user:
            self._keep(self._users, batch.user.value.owner, batch.user.value)
        if batch.event:
            self._events[workstation.id, batch.event.id] = batch.event
        for row in batch.intervals:
            self._ledger[row.id] = LedgerRow(
                interval=row, owner=workstation.owner, project=workstation.project, workstation=workstation.id
            )
        for operation in batch.operations:
            self._operations[operation.id] = operation
        if batch.request:
            self._requests[batch.request.key] = batch.request

    def _keep(self, kept: dict[K, Stored[T]], key: K, value: T) -> None:
        if key not in kept or kept[key].value != value:
            kept[key] = Stored(value, next(self._versions))


def _unchanged(kept: Stored[T] | None, read: Stored[T]) -> None:
    if read.version != (kept.version if kept else None):
        raise _stale()


def _stale() -> StaleWrite:
    return StaleWrite("The record changed since it was read; read it again.", "STALE_WRITE")


def _values(kept: Iterable[Stored[T]]) -> Iterable[T]:
    return (stored.value for stored in kept)


def _due(found: Iterable[D], now: datetime, key: Callable[[D], str]) -> list[D]:
    late = [(each.due_at, key(each), each) for each in found if each.due_at and each.due_at <= now]
    return [each for *_, each in sorted(late, key=lambda entry: entry[:2])]
