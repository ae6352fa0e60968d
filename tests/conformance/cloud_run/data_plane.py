"""How the checks of the front and the instances work: a service of the test container, requests, and a clock to move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from google.cloud import run_v2

from tests.emulators.cloud_run.driver import (
    POLLING,
    Emulator,
    a_container,
    a_service,
    eventually,
    http,
    running,
)

MINUTE = 60
_PATIENCE_SECONDS = 60


@dataclass
class DataPlane:
    """An emulator whose clock is the checks' own."""

    emulator: Emulator
    background: ThreadPoolExecutor

    def serve(self, service_id: str, scaling: run_v2.ServiceScaling, **fields: Any) -> str:
        """The address of a new service; `env`, `resources` and probes are its container's, the rest its template's."""
        of_container = {"env", "resources", "startup_probe", "liveness_probe"}
        container = {name: fields.pop(name) for name in of_container & set(fields)}
        self.emulator.create(service_id, a_service(containers=[a_container(**container)], **fields))
        return str(self.emulator.scale(service_id, scaling).uri)

    def change(self, service_id: str, **env: str) -> Any:
        """The operation that gives the service a new revision, with this environment."""
        service = self.emulator.with_image(a_service(containers=[a_container(env=env)]))
        service.name = self.emulator.name(service_id)
        request = run_v2.UpdateServiceRequest(service=service, update_mask={"paths": ["template"]})
        return self.emulator.client.update_service(request=request)

    def changed(self, service_id: str, **env: str) -> run_v2.Service:
        """The service once that has been done."""
        return self.change(service_id, **env).result(polling=POLLING)

    def pass_time(self, seconds: float) -> None:
        """Move the clock on."""
        url = f"{self.emulator.url}/emulator/v1/clock:advance"
        http.post(url, json={"seconds": seconds}, timeout=_PATIENCE_SECONDS).raise_for_status()

    def asking(self, url: str) -> Future[httpx2.Response]:
        """A request that is on its way."""
        return self.background.submit(http.get, url, timeout=_PATIENCE_SECONDS)

    def waiting(self, service_id: str, url: str) -> Future[httpx2.Response]:
        """A request that has found no room."""
        asking = self.asking(url)
        self.until(lambda: self.emulator.observed(service_id)["requestsWaiting"])
        return asking

    def at_work(self, service_id: str, uri: str, count: int = 1) -> list[Future[httpx2.Response]]:
        """Requests that instances work on for as long as they are let."""
        asking = [self.asking(f"{uri}/wait?seconds=600") for _ in range(count)]
        self.until(lambda: self.in_flight(service_id) == count)
        return asking

    def in_flight(self, service_id: str) -> int:
        """How many requests the service's instances have."""
        return sum(instance["requestsInFlight"] for instance in self.emulator.instances(service_id))

    def serving(self, service_id: str) -> list[dict[str, Any]]:
        """Its instances that have started."""
        return self.emulator.instances(service_id, "SERVING", "FROZEN")

    def exits(self, service_id: str) -> list[dict[str, Any]]:
        """How its instances have ended."""
        found: list[dict[str, Any]] = self.emulator.observed(service_id)["exits"]
        return found

    def until(self, read: Callable[[], Any]) -> Any:
        """What `read` returns as soon as it is true."""
        return eventually(read, _PATIENCE_SECONDS)


@contextmanager
def data_plane(state: Path) -> Iterator[DataPlane]:
    """An emulator with Cloud Run's own times, but that a process which does not obey has a second of grace."""
    with running(state, "--grace", "1") as emulator, ThreadPoolExecutor(32) as background:
        yield DataPlane(emulator, background)
