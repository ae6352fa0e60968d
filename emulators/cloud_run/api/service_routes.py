"""The methods of `google.cloud.run.v2.Services` over REST."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from emulators.cloud_run.api.answers import answer
from emulators.cloud_run.api.parameters import flag, page_of
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.model.messages import parse_mask, parse_service, to_json
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.services import Services

_PARENT = "/v2/projects/{project}/locations/{location}"


class ServiceRoutes:
    """Decode, one call of `Services` or of the catalog, encode."""

    def __init__(self, services: Services, catalog: Catalog, place: Place) -> None:
        self._services = services
        self._catalog = catalog
        self._place = place

    def routes(self) -> list[Route]:
        """The route table."""
        collection, one = f"{_PARENT}/services", f"{_PARENT}/services/{{service}}"
        return [
            Route(collection, self.create, methods=["POST"]),
            Route(collection, self.list, methods=["GET"]),
            Route(one, self.get, methods=["GET"]),
            Route(one, self.update, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """CreateService."""
        self._check_place(request)
        service_id = request.query_params.get("serviceId", "")
        service = parse_service(await request.body())
        validate_only = flag(request, "validateOnly")
        return answer(await self._services.create(service_id, service, validate_only=validate_only))

    async def get(self, request: Request) -> Response:
        """GetService."""
        return answer(to_json(self._catalog.get(self._service_id(request))))

    async def list(self, request: Request) -> Response:
        """ListServices; newest first."""
        self._check_place(request)
        show_deleted = flag(request, "showDeleted")
        services, token = self._catalog.page(*page_of(request), show_deleted=show_deleted)
        return answer({"services": [to_json(service) for service in services], "nextPageToken": token})

    async def update(self, request: Request) -> Response:
        """UpdateService."""
        service_id = self._service_id(request)
        operation = await self._services.update(
            service_id,
            parse_service(await request.body()),
            parse_mask(request.query_params.get("updateMask", "")),
            validate_only=flag(request, "validateOnly"),
            allow_missing=flag(request, "allowMissing"),
        )
        return answer(operation)

    async def delete(self, request: Request) -> Response:
        """DeleteService."""
        service_id = self._service_id(request)
        etag = request.query_params.get("etag", "")
        validate_only = flag(request, "validateOnly")
        return answer(await self._services.delete(service_id, etag, validate_only=validate_only))

    def _check_place(self, request: Request) -> None:
        self._place.require(request.path_params["project"], request.path_params["location"])

    def _service_id(self, request: Request) -> str:
        self._check_place(request)
        service_id: str = request.path_params["service"]
        return service_id
