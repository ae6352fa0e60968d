"""What becomes of an accepted change? It is put in force, its outcome is written to the service, its operation ends.

A change is in force before its operation says so, as on Cloud Run: scaling acts at once.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Coroutine

from emulators.clock import Clock
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.hosting import Hosting, Site
from emulators.cloud_run.model import conditions
from emulators.cloud_run.model.conditions import Reason, Verdict
from emulators.cloud_run.model.messages import Json, Service, ServiceMessage
from emulators.cloud_run.model.revision import image_of, revision_of
from emulators.cloud_run.model.scaling import instance_range
from emulators.cloud_run.operations import Operations
from emulators.cloud_run.runtime.contract import Runtime
from emulators.errors import Code
from emulators.rpc.method import Message

_CODES = {
    Reason.CONTAINER_MISSING: Code.NOT_FOUND,
    Reason.PROGRESS_DEADLINE_EXCEEDED: Code.DEADLINE_EXCEEDED,
}


class NoAddress(Exception):
    """A service cannot come back to the address that its clients know."""


class Reconciliation:
    """Carries changes from the catalog to the running half, and verdicts back."""

    def __init__(
        self,
        catalog: Catalog,
        operations: Operations,
        hosting: Hosting,
        *,
        runtime: Runtime,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._operations = operations
        self._hosting = hosting
        self._runtime = runtime
        self._clock = clock
        self._checks: dict[str, asyncio.Future[Verdict]] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._missing: dict[str, Verdict] = {}
        self._work: set[asyncio.Task[None]] = set()

    async def restore(self) -> None:
        """Take up what the disk remembers: same ports, same services, no unfinished operation."""
        for service_id, service in self._catalog.load():
            if service.HasField("delete_time"):
                await self._catalog.remove(service_id)
            else:
                await self._restore_one(service_id, service)
        for operation, service in self._operations.unfinished(Service):
            service_id = service.name.rpartition("/")[2]
            await self._operations.finish(operation, self._catalog.find(service_id) or service)

    async def put_in_force(self, service_id: str, service: ServiceMessage, site: Site) -> Message:
        """Let the autoscaler have a new revision or range; returns the operation."""
        self._end_check(service_id)
        self._verdicts.pop(service_id, None)
        self._missing.pop(service_id, None)
        present = await self._runtime.has(image_of(service))
        if self._is_latest(service_id, service):
            self._apply(service_id, service, site, present=present)
        return await self.record(service_id, service)

    async def record(self, service_id: str, service: ServiceMessage) -> Message:
        """Keep a change that leaves the instances as they are; returns the operation."""
        await self._catalog.save(service_id)
        operation = await self._operations.start(service)
        self._spawn(self._complete(service_id, service, operation.name))
        return operation

    async def delete(self, service_id: str, service: ServiceMessage) -> Message:
        """Close the service's address, end its instances, and forget it; returns the operation."""
        self._end_check(service_id)
        await self._catalog.save(service_id)
        operation = await self._operations.start(service)
        self._spawn(self._remove(service_id, service, operation.name))
        return operation

    async def close(self) -> None:
        """Stop finishing operations; the next start does it."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def instance_started(self, service_id: str, revision: str) -> None:
        """A revision's instance is up: its check has passed, and an earlier failure is over."""
        self._report(service_id, revision, Verdict(ready=True))

    def instance_failed(self, service_id: str, revision: str, message: str, *, late: bool) -> None:
        """A revision's instance did not start: Ready is false and says why."""
        text = f"Revision '{revision}' is not ready and cannot serve traffic. {message}"
        reason = Reason.PROGRESS_DEADLINE_EXCEEDED if late else Reason.HEALTH_CHECK_CONTAINER_ERROR
        self._report(service_id, revision, Verdict(False, reason, text))

    def _report(self, service_id: str, revision: str, verdict: Verdict) -> None:
        service = self._catalog.find(service_id)
        if service is None or service.latest_created_revision.rpartition("/")[2] != revision:
            return
        self._verdicts[service_id] = verdict
        check = self._checks.get(service_id)
        if check is not None and not check.done():
            check.set_result(verdict)
        elif not service.reconciling and verdict.ready == conditions.is_failed(service):
            self._spawn(self._settle(service_id, service.generation, verdict))

    async def _restore_one(self, service_id: str, service: ServiceMessage) -> None:
        try:
            site = self._hosting.reserve(service_id, self, int(service.uri.rpartition(":")[2]))
        except OSError as error:
            address = f"The address {service.uri} of service '{service_id}'"
            if error.errno == errno.EADDRINUSE:
                why = "is taken by another program; end it and start again."
            else:
                why = f"cannot be had. {error.strerror}"
            raise NoAddress(f"{address} {why}") from error
        self._catalog.set(service_id, service)
        await self._hosting.open(site)
        present = await self._runtime.has(image_of(service))
        site.autoscaler.adopt(revision_of(service, service_id) if present else None, instance_range(service))
        if service.reconciling:
            missing = None if present else await self._fetched(image_of(service))
            await self._settle(service_id, service.generation, _verdict(service, missing))

    async def _complete(self, service_id: str, service: ServiceMessage, operation: str) -> None:
        check = self._checks.get(service_id)
        await self._operations.take_time(operation, service)
        if service_id in self._missing:
            await self._fetch(service_id, service)
            check = self._checks.get(service_id)
        if check is not None:
            await check
        verdict = self._verdicts.get(service_id) or _verdict(service, self._missing.get(service_id))
        await self._settle(service_id, service.generation, verdict)
        failure = None if verdict.ready else _status(verdict)
        await self._operations.finish(operation, self._catalog.find(service_id) or service, failure)

    async def _settle(self, service_id: str, generation: int, verdict: Verdict) -> None:
        service = self._catalog.find(service_id)
        if service is None or service.generation != generation or service.HasField("delete_time"):
            return
        conditions.mark_settled(service, verdict, self._clock.now())
        await self._catalog.save(service_id)

    async def _remove(self, service_id: str, service: ServiceMessage, operation: str) -> None:
        self._hosting.shut(service_id)
        self._missing.pop(service_id, None)
        await self._operations.take_time(operation, service)
        await self._catalog.remove(service_id)
        await self._operations.finish(operation, service)

    def _apply(self, service_id: str, service: ServiceMessage, site: Site, *, present: bool) -> None:
        revision = revision_of(service, service_id) if present else None
        if not present:
            self._missing[service_id] = _without(f"Image '{image_of(service)}' has not been fetched yet.")
        if site.autoscaler.apply(revision, instance_range(service)):
            self._checks[service_id] = asyncio.get_running_loop().create_future()

    async def _fetch(self, service_id: str, service: ServiceMessage) -> None:
        missing = await self._fetched(image_of(service))
        if not self._is_latest(service_id, service):
            return
        if missing:
            self._missing[service_id] = missing
        elif self._missing.pop(service_id, None):
            self._apply(service_id, service, self._hosting.site(service_id), present=True)

    async def _fetched(self, image: str) -> Verdict | None:
        """What keeps a revision from being ready when its image cannot be had; None when it is here."""
        try:
            missing = await self._runtime.fetch(image)
        except TimeoutError:
            text = f"Image '{image}' could not be imported. Resource readiness deadline exceeded."
            return Verdict(False, Reason.PROGRESS_DEADLINE_EXCEEDED, text)
        return _without(missing) if missing else None

    def _is_latest(self, service_id: str, service: ServiceMessage) -> bool:
        latest = self._catalog.find(service_id)
        return (
            latest is not None
            and latest.generation == service.generation
            and not latest.HasField("delete_time")
        )

    def _end_check(self, service_id: str) -> None:
        check = self._checks.pop(service_id, None)
        if check is not None and not check.done():
            check.set_result(Verdict(ready=True))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _verdict(service: ServiceMessage, missing: Verdict | None) -> Verdict:
    if missing is not None:
        return missing
    if instance_range(service).off:
        return Verdict(True, Reason.HEALTH_CHECK_SKIPPED)
    return Verdict(ready=True)


def _without(why: str) -> Verdict:
    return Verdict(False, Reason.CONTAINER_MISSING, why)


def _status(verdict: Verdict) -> Json:
    return {"code": _CODES.get(verdict.reason, Code.FAILED_PRECONDITION).number, "message": verdict.message}
