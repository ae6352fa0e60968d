"""The methods of `google.longrunning.Operations` over REST."""

from __future__ import annotations

import json
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from emulators.cloud_run.api.answers import answer
from emulators.cloud_run.api.parameters import duration, page_of
from emulators.cloud_run.model.errors import invalid
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.operations import Operations

_COLLECTION = "/v2/projects/{project}/locations/{location}/operations"
_LONGEST_WAIT = timedelta(seconds=60)


class OperationRoutes:
    """Decode, one call of `Operations`, encode."""

    def __init__(self, operations: Operations, place: Place) -> None:
        self._operations = operations
        self._place = place

    def routes(self) -> list[Route]:
        """The route table."""
        one = f"{_COLLECTION}/{{operation}}"
        return [
            Route(_COLLECTION, self.list, methods=["GET"]),
            Route(f"{one}:wait", self.wait, methods=["POST"]),
            Route(one, self.get, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def get(self, request: Request) -> Response:
        """GetOperation."""
        return answer(self._operations.get(self._operation_id(request)))

    async def list(self, request: Request) -> Response:
        """ListOperations; newest first."""
        self._check_place(request)
        operations, token = self._operations.page(*page_of(request))
        return answer({"operations": operations, "nextPageToken": token})

    async def wait(self, request: Request) -> Response:
        """WaitOperation: done, or as it is when the time is up."""
        operation_id = self._operation_id(request)
        timeout = min(await _timeout(request), _LONGEST_WAIT)
        return answer(await self._operations.wait(operation_id, timeout))

    async def delete(self, request: Request) -> Response:
        """DeleteOperation."""
        await self._operations.delete(self._operation_id(request))
        return answer({})

    def _check_place(self, request: Request) -> None:
        self._place.require(request.path_params["project"], request.path_params["location"])

    def _operation_id(self, request: Request) -> str:
        self._check_place(request)
        operation_id: str = request.path_params["operation"]
        return operation_id


async def _timeout(request: Request) -> timedelta:
    try:
        body = json.loads(await request.body() or b"{}")
        text = body.get("timeout") or request.query_params.get("timeout")
    except (ValueError, AttributeError) as error:
        raise invalid("timeout", f"Invalid JSON payload received: {error}") from error
    return duration(text) if text else _LONGEST_WAIT
