"""Which services exist? All of them in memory, each on disk before its change is answered.

What belongs to a service comes and goes with it: its revisions and its IAM policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from emulators.cloud_run.access import Access
from emulators.cloud_run.ages import Ages, token_of
from emulators.cloud_run.history import History
from emulators.cloud_run.model.errors import already_exists, not_found
from emulators.cloud_run.model.messages import ServiceMessage, TemplateMessage, from_json, to_json
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.paging import Page, first_page
from emulators.cloud_run.policies import Policies
from emulators.cloud_run.quotas import Quotas
from emulators.cloud_run.revisions import Revisions
from emulators.cloud_run.store import Store

KIND = "services"


class Catalog:
    """The services of the emulator's place, by service id."""

    def __init__(
        self,
        store: Store,
        place: Place,
        *,
        revisions: Revisions,
        policies: Policies,
        access: Access,
        history: History,
        quotas: Quotas,
    ) -> None:
        self._store = store
        self._place = place
        self._quotas = quotas
        self._revisions = revisions
        self._policies = policies
        self._access = access
        self._history = history
        self._services: dict[str, ServiceMessage] = {}
        self._ages = Ages()

    def __contains__(self, service_id: str) -> bool:
        return service_id in self._services

    def get(self, service_id: str, ago: float = 0.0) -> ServiceMessage:
        """One service, as it was so many seconds ago; NOT_FOUND when there is none."""
        service = self._then(ago).get(service_id)
        if service is None:
            raise not_found(self._place.service(service_id))
        return service

    def find(self, service_id: str) -> ServiceMessage | None:
        """One service, or None."""
        return self._services.get(service_id)

    def require_room(self, service_id: str) -> None:
        """ALREADY_EXISTS when the name is taken, RESOURCE_EXHAUSTED when the region is full."""
        if service_id in self._services:
            raise already_exists(f"Resource '{self._place.service(service_id)}' already exists.")
        self._quotas.require_service(len(self._services))

    def templates(self, service_id: str, *revision_ids: str) -> dict[str, TemplateMessage]:
        """The templates of those of its revisions that are there, by their ids."""
        return self._revisions.templates(service_id, *revision_ids)

    def page(self, size: int, token: str, *, show_deleted: bool, ago: float = 0.0) -> Page:
        """One page, newest first; of the list as it was so many seconds ago."""
        services = self._then(ago)
        ages = Ages(services.values()) if ago else self._ages
        listed = (services[service_id] for service_id in ages.newest_first(token))
        shown = (s for s in listed if show_deleted or not s.HasField("delete_time"))
        return first_page(shown, size, token_of)

    def set(self, service_id: str, service: ServiceMessage) -> None:
        """Show a service from now on; `save` makes it last."""
        if service_id not in self._services:
            self._ages.add(service)
        self._services[service_id] = service
        self._notice(service_id, service)

    async def save(self, service_id: str) -> None:
        """Write the service as it is now, unless it is gone."""
        service = self._services.get(service_id)
        if service is not None:
            self._notice(service_id, service)
            await self._store.put(KIND, service_id, to_json(service))
            # After the service, which can bring back its newest revision; no service could be found for a revision.
            await self._revisions.save(service_id)

    async def remove(self, service_id: str) -> None:
        """Forget a service and what belongs to it."""
        await self._revisions.forget(service_id)
        await self._policies.forget(service_id)
        self._access.forget(service_id)
        if service := self._services.pop(service_id, None):
            self._ages.remove(service)
        self._history.note(service_id, None)
        await self._store.remove(KIND, service_id)

    def load(self) -> Iterator[tuple[str, ServiceMessage]]:
        """What the disk remembers; no service is shown yet."""
        documents = self._store.load(KIND)
        self._revisions.load(documents.keys())
        for service_id, document in documents.items():
            service = from_json(document)
            self._history.begin_with(service_id, service)
            yield service_id, service

    def _then(self, ago: float) -> Mapping[str, ServiceMessage]:
        return self._history.seconds_ago(ago) if ago else self._services

    def _notice(self, service_id: str, service: ServiceMessage) -> None:
        self._history.note(service_id, service)
        self._access.follow(service_id, service)
        self._revisions.follow(service_id, service)
