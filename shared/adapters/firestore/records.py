"""Where do the records live? In Firestore, one document for each record: the port `Records` on the stock client.

Writes are compare-and-set on the document's update time, and never a transaction: those collapse under contention.
A commit whose answer was lost looks like a lost race, so every event is signed with a random `attempt` and looked up
before anybody is told that the write failed.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.adapters.firestore import codec, queries
from shared.adapters.firestore.calls import ONCE, TIMEOUT, commit, read
from shared.adapters.firestore.paths import LEDGER, USERS, WORKSTATIONS, Paths
from shared.adapters.firestore.writes import Traces, Writes, verdict
from shared.domain.budget import User
from shared.domain.errors import OutcomeUnknown, StaleWrite, Unavailable
from shared.domain.events import Event
from shared.domain.names import Owner, Uid, WorkstationId
from shared.domain.operations import Operation
from shared.domain.workstation import Workstation
from shared.ports import Batch, LedgerRow, Page, Request, Stored


class FirestoreRecords:
    """`Records` over a `google.cloud.firestore.Client`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._paths = Paths(client)

    def workstation(self, id_: WorkstationId) -> Stored[Workstation] | None:
        found = self._get(self._paths.workstation(id_))
        return Stored(codec.decode_workstation(found.to_dict()), found.update_time) if found.exists else None

    def user(self, owner: Owner) -> Stored[User]:
        found = self._get(self._paths.user(owner))
        if not found.exists:
            return Stored(User(owner=owner), None)
        return Stored(codec.decode_user(found.to_dict()), found.update_time)

    def operation(self, id_: str) -> Operation | None:
        found = self._get(self._paths.operation(id_))
        return codec.decode_operation(found.to_dict()) if found.exists else None

    def request(self, key: str) -> Request | None:
        found = self._get(self._paths.request(key))
        return codec.decode_request(found.to_dict()) if found.exists else None

    def write(self, batch: Batch) -> None:
        attempt = secrets.token_hex(8)
        writes = Writes(self._client)
        writes.transition(batch, attempt)
        try:
            commit(writes.batch)
        except (StaleWrite, OutcomeUnknown) as failure:
            settled = verdict(batch, attempt, self._traces(batch, failure), failure)
            if settled is not None:
                raise settled from failure.__cause__

    def save_user(self, user: Stored[User]) -> None:
        writes = Writes(self._client)
        writes.user(user)
        commit(writes.batch)

    def book(self, row: LedgerRow, user: Stored[User]) -> None:
        writes = Writes(self._client)
        writes.row(row)
        writes.user(user)
        try:
            commit(writes.batch)
        except (StaleWrite, OutcomeUnknown):
            if not self._get(self._paths.ledger_row(row.interval.id)).exists:
                raise

    def purge(self, workstation: Stored[Workstation]) -> None:
        writes = Writes(self._client)
        writes.forget(workstation)
        commit(writes.batch)

    def workstations_of(
        self, owner: Owner, *, project: str | None, limit: int, after: str | None
    ) -> Page[Workstation]:
        collection = self._paths.collection(WORKSTATIONS)
        found = self._run(queries.listed(collection, owner, project, limit + 1, after))
        items = [codec.decode_workstation(document.to_dict()) for document in found[:limit]]
        return Page(items, items[-1].id if len(found) > limit else None)

    def lives(self, uids: Collection[Uid]) -> Mapping[Uid, Workstation]:
        collection, wanted = self._paths.collection(WORKSTATIONS), sorted(uids)
        found: dict[Uid, Workstation] = {}
        for start in range(0, len(wanted), queries.MOST_VALUES):
            some = wanted[start : start + queries.MOST_VALUES]
            for document in self._run(queries.lives(collection, some)):
                workstation = codec.decode_workstation(document.to_dict())
                found[workstation.uid] = workstation
        return found

    def due_workstations(self, now: datetime, limit: int) -> Sequence[WorkstationId]:
        found = self._run(queries.due(self._paths.collection(WORKSTATIONS), now, limit))
        return [WorkstationId(document.id) for document in found]

    def due_users(self, now: datetime, limit: int) -> Sequence[Owner]:
        found = self._run(queries.due(self._paths.collection(USERS), now, limit))
        return [Owner(document.get("owner")) for document in found]

    def events(self, id_: WorkstationId, uid: Uid) -> Sequence[Event]:
        found = self._run(queries.life(self._paths.events(id_), uid))
        return [codec.decode_event(document.to_dict()) for document in found]

    def ledger(self, owner: Owner, start: datetime, end: datetime) -> Sequence[LedgerRow]:
        found = self._run(queries.booked(self._paths.collection(LEDGER), owner, start, end))
        return [codec.decode_ledger_row(document.to_dict()) for document in found]

    def _get(self, reference: Any) -> Any:
        return read(lambda: reference.get(retry=ONCE, timeout=TIMEOUT))

    def _run(self, query: Any) -> list[Any]:
        return read(lambda: list(query.stream(retry=ONCE, timeout=TIMEOUT)))

    def _traces(self, batch: Batch, failure: StaleWrite | OutcomeUnknown) -> Traces:
        """What can be seen of what the batch was to create; raises `failure` itself where nothing can."""
        workstation = batch.workstation.value
        record = batch.workstation.version is None and self._paths.workstation(workstation.id)
        event = batch.event and self._paths.event(workstation.id, batch.event.uid, batch.event.n)
        request = batch.request and self._paths.request(batch.request.key)
        wanted = [reference for reference in (record, event, request) if reference]
        if not wanted:
            raise failure from failure.__cause__
        try:
            found = read(lambda: list(self._client.get_all(wanted, retry=ONCE, timeout=TIMEOUT)))
        except Unavailable:
            raise failure from failure.__cause__
        present = {document.reference: document for document in found if document.exists}
        return Traces(
            attempt=present[event].get("attempt") if event in present else None,
            workstation=record in present,
            request=request in present,
        )
