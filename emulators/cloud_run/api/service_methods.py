"""The methods of `google.cloud.run.v2.Services`."""

from __future__ import annotations

from google.cloud.run_v2 import types as run
from google.longrunning.operations_pb2 import Operation

from emulators.cloud_run.api.interface import Interface
from emulators.cloud_run.api.names import Names
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.model.messages import Service
from emulators.cloud_run.services import Services
from emulators.faults.gate import FaultGate
from emulators.rpc.method import Message, Method

_SERVICES = Interface("google.cloud.run.v2.Services")
_ALL = "/v2/{parent=projects/*/locations/*}/services"
_ONE = "/v2/{name=projects/*/locations/*/services/*}"
_PATCHED = "/v2/{service.name=projects/*/locations/*/services/*}"
_List = run.ListServicesResponse.pb()


class ServiceMethods:
    """Each is one call of `Services` or of the catalog; reads are stale when a fault says so."""

    def __init__(self, services: Services, catalog: Catalog, names: Names, gate: FaultGate) -> None:
        self._services = services
        self._catalog = catalog
        self._names = names
        self._gate = gate

    def methods(self) -> list[Method]:
        """The method table."""
        return [
            _SERVICES.method(
                run.CreateServiceRequest.pb(), Operation, f"POST {_ALL}", self.create, "service"
            ),
            _SERVICES.method(run.GetServiceRequest.pb(), Service, f"GET {_ONE}", self.get),
            _SERVICES.method(run.ListServicesRequest.pb(), _List, f"GET {_ALL}", self.list),
            _SERVICES.method(
                run.UpdateServiceRequest.pb(), Operation, f"PATCH {_PATCHED}", self.update, "service"
            ),
            _SERVICES.method(run.DeleteServiceRequest.pb(), Operation, f"DELETE {_ONE}", self.delete),
        ]

    async def create(self, request: Message) -> Message:
        """CreateService."""
        self._names.location(request.parent)
        return await self._services.create(
            request.service_id, request.service, validate_only=request.validate_only
        )

    async def get(self, request: Message) -> Message:
        """GetService."""
        service_id = self._names.service(request.name)
        return self._catalog.get(service_id, self._gate.ago("GetService", request.name))

    async def list(self, request: Message) -> Message:
        """ListServices; newest first."""
        self._names.location(request.parent)
        page = self._catalog.page(
            request.page_size,
            request.page_token,
            show_deleted=request.show_deleted,
            ago=self._gate.ago("ListServices", request.parent),
        )
        return _List(services=page.items, next_page_token=page.next_token)

    async def update(self, request: Message) -> Message:
        """UpdateService."""
        return await self._services.update(
            self._names.service(request.service.name, "service.name"),
            request.service,
            tuple(request.update_mask.paths),
            validate_only=request.validate_only,
            allow_missing=request.allow_missing,
        )

    async def delete(self, request: Message) -> Message:
        """DeleteService."""
        service_id = self._names.service(request.name)
        return await self._services.delete(service_id, request.etag, validate_only=request.validate_only)
