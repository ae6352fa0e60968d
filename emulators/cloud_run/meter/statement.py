"""How is a bill told? As JSON; quantities and amounts are decimal strings, beyond what a number of JavaScript holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emulators.cloud_run.meter.bill import Bill, Line, bill
from emulators.cloud_run.meter.consumption import consumption
from emulators.cloud_run.meter.free_tier import Credit, credits_of
from emulators.cloud_run.meter.history import History, Stretch
from emulators.cloud_run.meter.prices import PriceList, unit_of
from emulators.cloud_run.meter.times import text

_PICO = 10**12
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What a bill is to be about: the time, in microseconds; one service or all; and what `now` it is at least."""

    window: Stretch
    now: int
    service: str | None = None
    free_tier: bool = False


def statement(history: History, asked: Question, prices: PriceList) -> Json:
    """The bill, at the prices of a region."""
    now = max(asked.now, history.latest)
    used = consumption(history, history.services() if asked.service is None else [asked.service], now)
    found = bill(used, asked.window, prices)
    credits = credits_of(used, asked.window, now, prices) if asked.free_tier else []
    return {
        "from": text(asked.window[0]),
        "to": text(asked.window[1]),
        "now": text(now),
        "priceList": {"version": prices.version, "region": prices.region, "tier": prices.tier},
        "lines": [_line(line, prices) for line in found.lines],
        **_totals(found, credits),
    }


def _line(line: Line, prices: PriceList) -> Json:
    unit, price = unit_of(line.item), line.price
    source = prices.source(line.item)
    return {
        "service": line.service,
        "revision": line.revision,
        "instance": line.instance,
        "item": line.item,
        "quantity": str(line.quantity),
        "unit": unit.symbol,
        "unitPrice": {"usd": price.usd, "per": unit.priced, "source": source} if price else None,
        "amount": str(line.amount) if price else None,
        "intervals": [{"start": text(start), "end": text(end)} for start, end in line.intervals],
    }


def _totals(found: Bill, credits: list[Credit]) -> Json:
    total = found.total - sum(credit.amount for credit in credits)
    return {
        "credits": [{"item": credit.item, "amount": str(credit.amount)} for credit in credits],
        "total": str(total),
        "totalUsd": f"{total // _PICO}.{total % _PICO:012d}",
        "unpriced": found.unpriced,
    }
