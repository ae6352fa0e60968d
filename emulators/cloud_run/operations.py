"""What became of a change? Long-running operations, kept on disk, finished once and for all."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from datetime import timedelta

from emulators.cloud_run.model.errors import invalid, not_found
from emulators.cloud_run.model.messages import Json, ServiceMessage, typed_json
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.store import Store

KIND = "operations"
KEPT = 1000


class Operations:
    """All operations of this place, newest last; the oldest finished ones are forgotten."""

    def __init__(self, store: Store, place: Place) -> None:
        self._store = store
        self._place = place
        self._documents: dict[str, Json] = store.load(KIND)
        self._finished: dict[str, asyncio.Event] = {}

    async def start(self, service: ServiceMessage) -> Json:
        """A new unfinished operation on the service."""
        operation_id = str(uuid.uuid4())
        document = {
            "name": self._place.operation(operation_id),
            "metadata": typed_json(service),
            "done": False,
        }
        self._documents[operation_id] = document
        self._finished[operation_id] = asyncio.Event()
        await self._store.put(KIND, operation_id, document)
        await self._forget_oldest()
        return document

    async def finish(self, name: str, service: ServiceMessage, failure: Json | None = None) -> None:
        """Answer the operation with the service, or with a `google.rpc.Status`."""
        operation_id = name.rpartition("/")[2]
        if operation_id not in self._documents:
            return
        result = {"error": failure} if failure else {"response": typed_json(service)}
        document = {"name": name, "metadata": typed_json(service), "done": True, **result}
        self._documents[operation_id] = document
        await self._store.put(KIND, operation_id, document)
        if event := self._finished.pop(operation_id, None):
            event.set()

    def finished_at_once(self, service: ServiceMessage) -> Json:
        """The operation of a call that only validates; it is not kept."""
        name = self._place.operation(str(uuid.uuid4()))
        packed = typed_json(service)
        return {"name": name, "metadata": packed, "done": True, "response": packed}

    def get(self, operation_id: str) -> Json:
        """One operation; NOT_FOUND when there is none."""
        document = self._documents.get(operation_id)
        if document is None:
            raise not_found(self._place.operation(operation_id))
        return document

    async def wait(self, operation_id: str, longest: timedelta) -> Json:
        """The operation as soon as it is done, or as it is when the time is up."""
        self.get(operation_id)
        if event := self._finished.get(operation_id):
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), longest.total_seconds())
        return self.get(operation_id)

    def page(self, size: int, token: str) -> tuple[list[Json], str]:
        """One page, newest first, and the token of the next."""
        if token and not token.isdecimal():
            raise invalid("page_token", f"'{token}' is not a page token of this list.")
        start = int(token or 0)
        newest = list(reversed(self._documents.values()))
        end = start + size
        return newest[start:end], str(end) if end < len(newest) else ""

    async def delete(self, operation_id: str) -> None:
        """Forget an operation; what it does goes on."""
        self.get(operation_id)
        del self._documents[operation_id]
        await self._store.remove(KIND, operation_id)

    def unfinished(self) -> list[Json]:
        """Operations that a stop of the emulator interrupted."""
        return [document for document in self._documents.values() if not document["done"]]

    async def _forget_oldest(self) -> None:
        for operation_id in list(self._documents)[: max(0, len(self._documents) - KEPT)]:
            if self._documents[operation_id]["done"]:
                await self.delete(operation_id)
