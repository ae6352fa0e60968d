"""What goes into one commit, and what became of it when the answer does not say?

A replacement names every top-level field in its mask, so that a key that left a map leaves the document as well. A
field that only another revision knows stays as it is.
"""

from dataclasses import dataclass, replace
from typing import Any

from shared.adapters.firestore import codec
from shared.adapters.firestore.fields import Fields
from shared.adapters.firestore.paths import Paths
from shared.domain.budget import User
from shared.domain.errors import AlreadyExists, DormouseError, OutcomeUnknown, StaleWrite
from shared.domain.workstation import Workstation
from shared.ports import Batch, LedgerRow, Stored


class Writes:
    """A commit in the making: a `WriteBatch`, and the words that our documents are written in."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._paths = Paths(client)
        self.batch = client.batch()

    def transition(self, batch: Batch, attempt: str) -> None:
        """All that a transition writes; its event is signed with `attempt`."""
        workstation = batch.workstation.value
        self._workstation(batch.workstation)
        if batch.user:
            self.user(batch.user)
        if batch.event:
            signed = replace(batch.event, attempt=attempt)
            reference = self._paths.event(workstation.id, signed.uid, signed.n)
            self.batch.create(reference, codec.encode_event(signed, workstation.owner))
        for interval in batch.intervals:
            self.row(
                LedgerRow(
                    interval=interval,
                    owner=workstation.owner,
                    project=workstation.project,
                    workstation=workstation.id,
                )
            )
        for operation in batch.operations:
            self.batch.set(self._paths.operation(operation.id), codec.encode_operation(operation))
        if batch.request:
            self.batch.create(self._paths.request(batch.request.key), codec.encode_request(batch.request))

    def row(self, row: LedgerRow) -> None:
        self.batch.create(self._paths.ledger_row(row.interval.id), codec.encode_ledger_row(row))

    def user(self, user: Stored[User]) -> None:
        self._swap(self._paths.user(user.value.owner), codec.encode_user(user.value), user.version)

    def forget(self, workstation: Stored[Workstation]) -> None:
        reference = self._paths.workstation(workstation.value.id)
        self.batch.delete(reference, option=self._unchanged_since(workstation.version))

    def _workstation(self, stored: Stored[Workstation]) -> None:
        reference = self._paths.workstation(stored.value.id)
        self._swap(reference, codec.encode_workstation(stored.value), stored.version)

    def _swap(self, reference: Any, document: Fields, version: object | None) -> None:
        if version is None:
            self.batch.create(reference, document)
        else:
            self.batch.update(reference, document, option=self._unchanged_since(version))

    def _unchanged_since(self, version: object | None) -> Any:
        return self._client.write_option(last_update_time=version)


@dataclass(frozen=True, slots=True)
class Traces:
    """What is found of a batch afterwards."""

    attempt: str | None
    """Whose event has its number; None: nobody's."""
    workstation: bool
    request: bool


def verdict(batch: Batch, attempt: str, found: Traces, failure: DormouseError) -> DormouseError | None:
    """What `failure` really was; None: the batch was written. The request outranks the record: it was answered."""
    if found.attempt == attempt:
        return None
    if isinstance(failure, OutcomeUnknown) and batch.event is None:
        return failure
    if batch.request and found.request:
        return AlreadyExists("This request was made before; its operation has the answer.", "REQUEST_EXISTS")
    if batch.workstation.version is None and found.workstation:
        return AlreadyExists("The workstation exists already.", "WORKSTATION_EXISTS")
    if found.attempt is not None:
        return StaleWrite("The record changed since it was read; read it again.", "STALE_WRITE")
    return failure
