"""What does the Admin API do to services? It checks a change, makes the new resource of it, and starts its operation."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.hosting import Hosting, Site
from emulators.cloud_run.model import names
from emulators.cloud_run.model.errors import not_found
from emulators.cloud_run.model.messages import ServiceMessage, copy_of, set_time
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.model.scaling import instance_range
from emulators.cloud_run.model.service import (
    Rules,
    Stamp,
    changed_service,
    needs_new_revision,
    new_service,
    require_etag,
)
from emulators.cloud_run.operations import Operations
from emulators.cloud_run.reconciliation import Reconciliation
from emulators.errors import ApiError, Code
from emulators.rpc.method import Message


class Services:
    """Create, update and delete; each answers with an operation."""

    def __init__(
        self,
        catalog: Catalog,
        operations: Operations,
        hosting: Hosting,
        reconciliation: Reconciliation,
        *,
        place: Place,
        rules: Rules,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._operations = operations
        self._hosting = hosting
        self._reconciliation = reconciliation
        self._place = place
        self._rules = rules
        self._clock = clock

    async def create(self, service_id: str, request: ServiceMessage, *, validate_only: bool) -> Message:
        """Make a service; the operation ends when its first revision is ready, or is known not to be."""
        names.require_service_id(service_id)
        self._catalog.require_room(service_id)
        draft = self._new(service_id, request, "")
        if validate_only:
            return self._operations.finished_at_once(draft)
        site = self._site(service_id)
        service = self._new(service_id, request, site.listener.uri)
        self._catalog.set(service_id, service)
        await self._hosting.open(site)
        return await self._reconciliation.put_in_force(service_id, service, site)

    async def update(
        self,
        service_id: str,
        request: ServiceMessage,
        paths: Sequence[str],
        *,
        validate_only: bool,
        allow_missing: bool,
    ) -> Message:
        """Change a service; a missing one is created if that is allowed."""
        if allow_missing and service_id not in self._catalog:
            return await self.create(service_id, request, validate_only=validate_only)
        current = self._living(service_id, request.etag)
        named = (request.template.revision, current.template.revision)
        service = changed_service(
            current,
            request,
            paths,
            stamp=self._stamp(),
            rules=self._rules,
            revisions=self._catalog.templates(service_id, *named),
        )
        if validate_only:
            return self._operations.finished_at_once(service)
        self._catalog.set(service_id, service)
        if _runs_alike(current, service):
            return await self._reconciliation.record(service_id, service)
        site = self._hosting.site(service_id)
        return await self._reconciliation.put_in_force(service_id, service, site)

    async def delete(self, service_id: str, etag: str, *, validate_only: bool) -> Message:
        """Delete a service; it can be read with its delete time until the operation ends."""
        service = copy_of(self._living(service_id, etag))
        set_time(service.delete_time, self._clock())
        if validate_only:
            return self._operations.finished_at_once(service)
        service.reconciling = True
        self._catalog.set(service_id, service)
        return await self._reconciliation.delete(service_id, service)

    def _site(self, service_id: str) -> Site:
        try:
            return self._hosting.reserve(service_id, self._reconciliation)
        except OSError as error:
            message = f"Service '{service_id}' cannot listen anywhere. {error.strerror}"
            raise ApiError(Code.RESOURCE_EXHAUSTED, message) from error

    def _living(self, service_id: str, etag: str) -> ServiceMessage:
        current = self._catalog.get(service_id)
        if current.HasField("delete_time"):
            raise not_found(current.name)
        require_etag(current, etag)
        return current

    def _new(self, service_id: str, request: ServiceMessage, uri: str) -> ServiceMessage:
        return new_service(
            request,
            name=self._place.service(service_id),
            uid=str(uuid.uuid4()),
            uri=uri,
            stamp=self._stamp(),
            rules=self._rules,
        )

    def _stamp(self) -> Stamp:
        letters = random.choices(string.ascii_lowercase, k=3)  # noqa: S311 - a name, not a secret
        return Stamp(self._clock(), "".join(letters))


def _runs_alike(before: ServiceMessage, after: ServiceMessage) -> bool:
    """Whether a change (of annotations, say) leaves revision and instances, and so their verdict, as they were."""
    same_revision = not needs_new_revision(before, after)
    return same_revision and instance_range(before) == instance_range(after)
