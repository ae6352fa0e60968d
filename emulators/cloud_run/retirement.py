"""Which revisions may be deleted, and how does that go? Only what no longer serves, by an operation of its own."""

from __future__ import annotations

import asyncio

from emulators.clock import Clock
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.model.messages import copy_of, set_time
from emulators.cloud_run.model.revision_resource import Revision
from emulators.cloud_run.model.service import require_etag
from emulators.cloud_run.operations import Operations
from emulators.cloud_run.revisions import Revisions
from emulators.errors import ApiError, Code
from emulators.rpc.method import Message


class Retirement:
    """Deletes of revisions; the next start finishes what a stop interrupted."""

    def __init__(self, revisions: Revisions, operations: Operations, catalog: Catalog, clock: Clock) -> None:
        self._revisions = revisions
        self._operations = operations
        self._catalog = catalog
        self._clock = clock
        self._work: set[asyncio.Task[None]] = set()

    async def delete(self, service_id: str, revision_id: str, etag: str, *, validate_only: bool) -> Message:
        """Start to delete a revision; FAILED_PRECONDITION for one that serves, ABORTED for a stale etag."""
        revision = copy_of(self._revisions.get(service_id, revision_id))
        require_etag(revision, etag)
        self._require_retired(revision)
        set_time(revision.delete_time, self._clock.now())
        if validate_only:
            return self._operations.finished_at_once(revision)
        operation = await self._operations.start(revision)
        task = asyncio.create_task(self._complete(operation.name, revision))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return operation

    async def restore(self) -> None:
        """Finish what was under way when the emulator stopped."""
        for operation, revision in self._operations.unfinished(Revision):
            await self._finish(operation, revision)

    async def close(self) -> None:
        """Leave the rest to the next start."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def _complete(self, operation: str, revision: Message) -> None:
        await self._operations.take_time(operation, revision)
        await self._finish(operation, revision)

    async def _finish(self, operation: str, revision: Message) -> None:
        try:
            # It may have come back meanwhile, under its name.
            self._require_retired(revision)
        except ApiError as refusal:
            status = {"code": refusal.code.number, "message": refusal.message}
            await self._operations.finish(operation, revision, status)
            return
        await self._revisions.remove(revision.service, revision.name.rpartition("/")[2])
        await self._operations.finish(operation, revision)

    def _require_retired(self, revision: Message) -> None:
        service = self._catalog.find(revision.service)
        if service is not None and revision.name in (
            service.latest_created_revision,
            service.latest_ready_revision,
        ):
            revision_id = revision.name.rpartition("/")[2]
            raise ApiError(
                Code.FAILED_PRECONDITION,
                f"Revision '{revision_id}' cannot be directly deleted because it is actively serving.",
            )
