"""What runs for each service: its listener and its autoscaler, opened and closed together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from emulators.cloud_run.front.backend import Backend
from emulators.cloud_run.front.heads import Request
from emulators.cloud_run.front.invoker import Invokers
from emulators.cloud_run.front.listener import Listener
from emulators.cloud_run.instances.autoscaler import Autoscaler, Reports
from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.runtime.contract import Runtime


@dataclass(frozen=True, slots=True)
class Site:
    """The running half of a service."""

    service_id: str
    listener: Listener
    autoscaler: Autoscaler


class Hosting:
    """The sites of all services, by service id."""

    def __init__(self, settings: InstanceSettings, runtime: Runtime, invokers: Invokers) -> None:
        self._settings = settings
        self._runtime = runtime
        self._invokers = invokers
        self._sites: dict[str, Site] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def reserve(self, service_id: str, reports: Reports, port: int | None = None) -> Site:
        """A site for the service, on its remembered port if it has one; OSError when that is taken."""
        site = Site(
            service_id, Listener(port), Autoscaler(service_id, self._settings, self._runtime, reports)
        )
        self._sites[service_id] = site
        return site

    async def open(self, site: Site) -> None:
        """Let a reserved site accept requests."""

        async def check(request: Request) -> Request:
            return await self._invokers.admit(request, site.service_id, site.listener.uri)

        settings = self._settings
        backend = Backend(site.service_id, check, site.autoscaler, settings.gate, settings.clock)
        await site.listener.start(backend)

    def site(self, service_id: str) -> Site:
        """The site of a service that is open."""
        return self._sites[service_id]

    def autoscaler(self, service_id: str) -> Autoscaler | None:
        """The autoscaler of a service, if it is open."""
        site = self._sites.get(service_id)
        return site.autoscaler if site else None

    def shut(self, service_id: str) -> None:
        """Close the service's address and end its instances, which may take their grace."""
        site = self._sites.pop(service_id)
        task = asyncio.create_task(_close(site))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def shut_all(self) -> None:
        """End everything and wait for it: the emulator's own end."""
        for service_id in list(self._sites):
            self.shut(service_id)
        await asyncio.gather(*self._closing)


async def _close(site: Site) -> None:
    await site.listener.close()
    await site.autoscaler.close()
