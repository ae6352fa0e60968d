"""Which services exist? All of them in memory, each on disk before its change is answered."""

from __future__ import annotations

from collections.abc import Iterator

from emulators.cloud_run.model.errors import invalid, not_found
from emulators.cloud_run.model.messages import ServiceMessage, from_json, to_json
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.store import Store

KIND = "services"


class Catalog:
    """The services of the emulator's place, by service id."""

    def __init__(self, store: Store, place: Place) -> None:
        self._store = store
        self._place = place
        self._services: dict[str, ServiceMessage] = {}

    def __contains__(self, service_id: str) -> bool:
        return service_id in self._services

    def get(self, service_id: str) -> ServiceMessage:
        """One service; NOT_FOUND when there is none."""
        service = self._services.get(service_id)
        if service is None:
            raise not_found(self._place.service(service_id))
        return service

    def find(self, service_id: str) -> ServiceMessage | None:
        """One service, or None."""
        return self._services.get(service_id)

    def page(self, size: int, token: str, *, show_deleted: bool) -> tuple[list[ServiceMessage], str]:
        """One page, newest first, and the token of the next."""
        shown = [s for s in self._services.values() if show_deleted or not s.HasField("delete_time")]
        newest = sorted(shown, key=lambda s: (s.create_time.ToNanoseconds(), s.name), reverse=True)
        start = 0
        if token:
            start = next((i for i, s in enumerate(newest) if s.name.endswith(f"/{token}")), -1)
            if start < 0:
                raise invalid("page_token", f"'{token}' is not a page token of this list.")
        following = newest[start + size : start + size + 1]
        return newest[start : start + size], following[0].name.rpartition("/")[2] if following else ""

    def set(self, service_id: str, service: ServiceMessage) -> None:
        """Show a service from now on; `save` makes it last."""
        self._services[service_id] = service

    async def save(self, service_id: str) -> None:
        """Write the service as it is now."""
        await self._store.put(KIND, service_id, to_json(self._services[service_id]))

    async def remove(self, service_id: str) -> None:
        """Forget a service."""
        self._services.pop(service_id, None)
        await self._store.remove(KIND, service_id)

    def load(self) -> Iterator[tuple[str, ServiceMessage]]:
        """What the disk remembers; nothing is shown yet."""
        for service_id, document in self._store.load(KIND).items():
            yield service_id, from_json(document)
