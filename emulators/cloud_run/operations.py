"""What became of a change? Long-running operations, kept on disk, finished once and for all.

How long one takes is the operator's choice and the faults': a rule for the method `operation:UpdateService`, say,
delays it, leaves it hanging or lets it fail.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import json_format

from emulators.clock import Clock
from emulators.cloud_run.history import History
from emulators.cloud_run.model.errors import not_found
from emulators.cloud_run.model.messages import Json
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.paging import Page, page_of
from emulators.cloud_run.store import Store
from emulators.errors import ApiError
from emulators.faults.gate import Dropped, FaultGate
from emulators.rpc.method import Message

KIND = "operations"
KEPT = 1000


class Operations:
    """All operations of this place, newest last; the oldest finished ones are forgotten."""

    def __init__(
        self, store: Store, place: Place, *, clock: Clock, gate: FaultGate, delay: timedelta
    ) -> None:
        self._store = store
        self._place = place
        self._clock = clock
        self._gate = gate
        self._delay = delay
        self._operations = _load(store)
        self._history = History(clock)
        for operation_id, operation in self._operations.items():
            self._history.begin_with(operation_id, operation)
        self._finished: dict[str, asyncio.Event] = {}
        self._struck: dict[str, Json] = {}

    async def start(self, resource: Message) -> Message:
        """A new unfinished operation on the resource."""
        operation = self._new(resource)
        operation_id = _id(operation.name)
        self._put(operation_id, operation)
        self._finished[operation_id] = asyncio.Event()
        await self._save(operation_id)
        await self._forget_oldest()
        return operation

    async def take_time(self, name: str, resource: Message) -> None:
        """Return when the operation may go on: after its delay and whatever the faults add to it."""
        await self._clock.sleep(self._delay.total_seconds())
        try:
            await self._gate.around(f"operation:{_method(resource)}", resource.name, _nothing)
        except ApiError as fault:
            self._struck[_id(name)] = {"code": fault.code.number, "message": fault.message}
        except Dropped:
            # It has no connection to break; dropped, it leaves nobody to finish it.
            await asyncio.Event().wait()

    async def finish(self, name: str, resource: Message, failure: Json | None = None) -> None:
        """Answer the operation with the resource, or with a `google.rpc.Status`."""
        operation_id = _id(name)
        failure = self._struck.pop(operation_id, failure)
        if operation_id not in self._operations:
            return
        self._put(operation_id, _done(operations_pb2.Operation(name=name), resource, failure))
        await self._save(operation_id)
        if event := self._finished.pop(operation_id, None):
            event.set()

    def finished_at_once(self, resource: Message) -> Message:
        """The operation of a call that only validates; it is not kept."""
        return _done(self._new(resource), resource, None)

    def get(self, operation_id: str, ago: float = 0.0) -> Message:
        """One operation, as it was so many seconds ago; NOT_FOUND when there is none."""
        operation = self._then(ago).get(operation_id)
        if operation is None:
            raise not_found(self._place.operation(operation_id))
        return operation

    async def wait(self, operation_id: str, longest: timedelta) -> Message:
        """The operation as soon as it is done, or as it is when the time is up."""
        self.get(operation_id)
        if event := self._finished.get(operation_id):
            with suppress(TimeoutError):
                async with self._clock.timeout(longest.total_seconds()):
                    await event.wait()
        return self.get(operation_id)

    def page(self, size: int, token: str, ago: float = 0.0) -> Page:
        """One page, newest first, as it was so many seconds ago."""
        return page_of(list(reversed(self._then(ago).values())), size, token)

    async def delete(self, operation_id: str) -> None:
        """Forget an operation; what it does goes on."""
        self.get(operation_id)
        del self._operations[operation_id]
        self._history.note(operation_id, None)
        await self._store.remove(KIND, operation_id)

    def unfinished(self, kind: type[Any]) -> Iterator[tuple[str, Message]]:
        """Operations that a stop of the emulator interrupted: their names, and resources of that kind."""
        for operation in list(self._operations.values()):
            resource = kind()
            if not operation.done and operation.metadata.Unpack(resource):
                yield operation.name, resource

    def _then(self, ago: float) -> dict[str, Message]:
        return self._history.seconds_ago(ago) if ago else self._operations

    def _put(self, operation_id: str, operation: Message) -> None:
        self._operations[operation_id] = operation
        self._history.note(operation_id, operation)

    def _new(self, resource: Message) -> Message:
        operation = operations_pb2.Operation(name=self._place.operation(str(uuid.uuid4())))
        operation.metadata.Pack(resource)
        return operation

    async def _save(self, operation_id: str) -> None:
        document = json_format.MessageToDict(self._operations[operation_id], use_integers_for_enums=True)
        await self._store.put(KIND, operation_id, document)

    async def _forget_oldest(self) -> None:
        for operation_id in list(self._operations)[: max(0, len(self._operations) - KEPT)]:
            operation = self._operations.get(operation_id)
            if operation is not None and operation.done:
                await self.delete(operation_id)


def _load(store: Store) -> dict[str, Message]:
    documents = store.load(KIND)
    return {key: json_format.ParseDict(text, operations_pb2.Operation()) for key, text in documents.items()}


async def _nothing() -> None:
    """Faults happen around it; the operation's effect comes later."""


def _done(operation: Message, resource: Message, failure: Json | None) -> Message:
    operation.metadata.Pack(resource)
    operation.done = True
    if failure:
        json_format.ParseDict(failure, operation.error)
    else:
        operation.response.Pack(resource)
    return operation


def _method(resource: Message) -> str:
    """The method that an operation comes from, as its resource tells."""
    written = "Create" if resource.generation == 1 else "Update"
    verb = "Delete" if resource.HasField("delete_time") else written
    return f"{verb}{resource.DESCRIPTOR.name}"


def _id(name: str) -> str:
    return name.rpartition("/")[2]
