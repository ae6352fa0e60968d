"""For tests and operators, not part of any Google API: what Google would bill.

GET /emulator/v1/services/{service}/bill?from=RFC3339&to=RFC3339     one service
GET /emulator/v1/bill?from=RFC3339&to=RFC3339[&freeTier=true]        all services, the free tier taken off if asked
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from emulators.cloud_run.meter.clerk import Clerk, NoBill, begun
from emulators.cloud_run.meter.history import Stretch
from emulators.cloud_run.meter.meter import Meter
from emulators.cloud_run.meter.statement import Question
from emulators.cloud_run.meter.times import BadTime, window
from emulators.errors import ApiError, Code


class BillRoutes:
    """The bills of a meter, as its clerk makes them."""

    def __init__(self, meter: Meter, clerk: Clerk) -> None:
        self._meter = meter
        self._clerk = clerk

    def routes(self) -> list[Route]:
        """The route table."""
        return [
            Route("/emulator/v1/services/{service}/bill", self.one, methods=["GET"]),
            Route("/emulator/v1/bill", self.all, methods=["GET"]),
        ]

    async def one(self, request: Request) -> Response:
        """The bill of a service; an empty one when it never had an instance."""
        asked = Question(_window(request), self._meter.now(), service=request.path_params["service"])
        return await self._answer(request, asked)

    async def all(self, request: Request) -> Response:
        """The bill of all services."""
        asked = Question(_window(request), self._meter.now(), free_tier=_free_tier(request))
        return await self._answer(request, asked)

    async def _answer(self, request: Request, asked: Question) -> Response:
        """The bill when it is there; the work on it ends when nobody waits for it any more."""
        beginning = asyncio.create_task(begun(self._clerk.write(asked)))
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait({beginning, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not beginning.done():
                return Response(status_code=499)
            return StreamingResponse(beginning.result(), media_type="application/json")
        except NoBill as error:
            raise ApiError(Code.INTERNAL, str(error)) from error
        finally:
            leaving.cancel()
            beginning.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        """A body that nobody asked for."""


def _window(request: Request) -> Stretch:
    try:
        return window(request.query_params.get("from"), request.query_params.get("to"))
    except BadTime as error:
        raise ApiError(Code.INVALID_ARGUMENT, str(error), error.field) from error


def _free_tier(request: Request) -> bool:
    given = request.query_params.get("freeTier", "false")
    if given not in ("true", "false"):
        raise ApiError(Code.INVALID_ARGUMENT, "freeTier is true or false.", "free_tier")
    return given == "true"
