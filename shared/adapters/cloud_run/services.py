"""The ServiceHost on Cloud Run's Admin API, one HTTP call for each method.

It waits for no long-running operation: converge reads the service's conditions. It retries reads only, because
a write that is repeated blindly may undo somebody else's.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from shared.adapters.cloud_run.blueprint import Blueprint, marked_orphan, scaled_down, scaled_up
from shared.adapters.cloud_run.view import is_ours, view
from shared.adapters.refusals import reading, writing
from shared.domain.errors import AlreadyExists, NotFound
from shared.domain.observed import ServiceView
from shared.domain.workstation import Workstation

READ_SECONDS = 5.0
READ_AGAIN_SECONDS = 8.0
WRITE_SECONDS = 15.0
LIST_SECONDS = 15.0
PAGE_SIZE = 250


class CloudRunServices:
    """The services of one deployment, in any cell. Safe for threads."""

    def __init__(self, client_factory: Callable[[], Any], blueprint: Blueprint) -> None:
        self._client_factory = client_factory
        self._blueprint = blueprint

    def get(self, cell: str, name: str) -> ServiceView | None:
        """The service, or None when the API says that there is none."""
        try:
            with reading(f"read the service {name}"):
                service = self._client.get_service(
                    name=_path(cell, name), timeout=READ_SECONDS, retry=self._read_retry
                )
        except NotFound:
            return None
        return view(service)

    def create(self, workstation: Workstation) -> None:
        """Make the workstation's service at MANUAL 0; one that exists stays as it is."""
        name = _named(workstation)
        request = {
            "parent": _parent(workstation.cell),
            "service_id": name,
            "service": self._blueprint.service(workstation),
        }
        try:
            with writing(f"create the service {name}"):
                self._client.create_service(request=request, timeout=WRITE_SECONDS, retry=None)
        except AlreadyExists:
            return

    def scale_up(self, workstation: Workstation, etag: str) -> None:
        """AUTOMATIC 1..1 with the record's epoch and notAfter, in one call."""
        name = _named(workstation)
        self._update(name, scaled_up(_path(workstation.cell, name), workstation, etag))

    def scale_down(self, cell: str, service: ServiceView) -> None:
        """MANUAL 0, with the etag that `service` was read with."""
        self._update(service.name, scaled_down(_path(cell, service.name), service.etag))

    def delete(self, cell: str, service: ServiceView) -> None:
        """Delete it if it still is what was read; absent is done."""
        request = {"name": _path(cell, service.name), "etag": service.etag}
        try:
            with writing(f"delete the service {service.name}"):
                self._client.delete_service(request=request, timeout=WRITE_SECONDS, retry=None)
        except NotFound:
            return

    def mark_orphan(self, cell: str, service: ServiceView, since: datetime | None) -> None:
        """Write the mark beside the others, with the etag that `service` was read with."""
        self._update(service.name, marked_orphan(_path(cell, service.name), service, since))

    def all(self, cell: str) -> Iterator[ServiceView]:
        """Every service of this deployment in the cell, a page for each call."""
        request = {"parent": _parent(cell), "page_size": PAGE_SIZE}
        with reading(f"list the services of {cell}"):
            services = self._client.list_services(
                request=request, timeout=LIST_SECONDS, retry=self._read_retry
            )
            for service in services:
                if is_ours(service, self._blueprint.environment):
                    yield view(service)

    def _update(self, name: str, request: dict[str, Any]) -> None:
        with writing(f"change the service {name}"):
            self._client.update_service(request=request, timeout=WRITE_SECONDS, retry=None)

    @cached_property
    def _client(self) -> Any:
        return self._client_factory()

    @cached_property
    def _read_retry(self) -> Any:
        from google.api_core import exceptions, retry  # noqa: PLC0415 - as the client: on first use

        again = retry.if_exception_type(
            exceptions.BadGateway, exceptions.ServiceUnavailable, exceptions.GatewayTimeout
        )
        return retry.Retry(predicate=again, initial=0.2, maximum=2.0, timeout=READ_AGAIN_SECONDS)


def _parent(cell: str) -> str:
    project, region = cell.split("/")
    return f"projects/{project}/locations/{region}"


def _path(cell: str, name: str) -> str:
    return f"{_parent(cell)}/services/{name}"


def _named(workstation: Workstation) -> str:
    assert workstation.service_name, "recorded before the service is created"
    return workstation.service_name
