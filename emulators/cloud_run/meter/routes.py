"""For tests and operators, not part of any Google API: what Google would bill.

GET /emulator/v1/services/{service}/bill?from=RFC3339&to=RFC3339     one service
GET /emulator/v1/bill?from=RFC3339&to=RFC3339[&freeTier=true]        all services, the free tier taken off if asked

Quantities and amounts (pico-dollars) are decimal strings, because they pass what a number of JavaScript holds.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.cloud_run.meter.bill import Bill, Line, bill
from emulators.cloud_run.meter.free_tier import Credit, credits_of
from emulators.cloud_run.meter.history import History, Stretch
from emulators.cloud_run.meter.meter import Meter
from emulators.cloud_run.meter.prices import PriceList, unit_of
from emulators.cloud_run.meter.times import text, window
from emulators.errors import ApiError, Code

_PICO = 10**12


class BillRoutes:
    """The bills of a meter at the prices of one region."""

    def __init__(self, meter: Meter, prices: PriceList) -> None:
        self._meter = meter
        self._prices = prices

    def routes(self) -> list[Route]:
        """The route table."""
        return [
            Route("/emulator/v1/services/{service}/bill", self.one, methods=["GET"]),
            Route("/emulator/v1/bill", self.all, methods=["GET"]),
        ]

    async def one(self, request: Request) -> Response:
        """The bill of a service; an empty one when it never had an instance."""
        asked = _window(request)
        return await self._answer([request.path_params["service"]], asked, free_tier=False)

    async def all(self, request: Request) -> Response:
        """The bill of all services."""
        return await self._answer(None, _window(request), free_tier=_free_tier(request))

    async def _answer(self, services: list[str] | None, asked: Stretch, *, free_tier: bool) -> Response:
        history = await self._meter.history()
        now = max(self._meter.now(), history.latest)
        document = await asyncio.to_thread(self._document, history, services, asked, now, free_tier)
        return JSONResponse(document)

    def _document(
        self, history: History, services: list[str] | None, asked: Stretch, now: int, free_tier: bool
    ) -> dict[str, Any]:
        ids = history.services() if services is None else services
        found = bill(history, ids, asked, now, self._prices)
        credits = credits_of(history, ids, asked, now, self._prices) if free_tier else []
        return {
            "from": text(asked[0]),
            "to": text(asked[1]),
            "now": text(now),
            "priceList": {
                "version": self._prices.version,
                "region": self._prices.region,
                "tier": self._prices.tier,
            },
            "lines": [self._line(line) for line in found.lines],
            **_totals(found, credits),
        }

    def _line(self, line: Line) -> dict[str, Any]:
        unit = unit_of(line.item)
        price = line.price
        return {
            "service": line.service,
            "revision": line.revision,
            "instance": line.instance,
            "item": line.item,
            "quantity": str(line.quantity),
            "unit": unit.symbol,
            "unitPrice": {"usd": price.usd, "per": unit.priced, "source": self._prices.source(line.item)}
            if price
            else None,
            "amount": str(line.amount) if price else None,
            "intervals": [{"start": text(start), "end": text(end)} for start, end in line.intervals],
        }


def _totals(found: Bill, credits: list[Credit]) -> dict[str, Any]:
    total = found.total - sum(credit.amount for credit in credits)
    return {
        "credits": [{"item": credit.item, "amount": str(credit.amount)} for credit in credits],
        "total": str(total),
        "totalUsd": f"{total // _PICO}.{total % _PICO:012d}",
        "unpriced": found.unpriced,
    }


def _window(request: Request) -> Stretch:
    return window(request.query_params.get("from"), request.query_params.get("to"))


def _free_tier(request: Request) -> bool:
    given = request.query_params.get("freeTier", "false")
    if given not in ("true", "false"):
        raise ApiError(Code.INVALID_ARGUMENT, "freeTier is true or false.", "free_tier")
    return given == "true"
