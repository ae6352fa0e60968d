"""What does Google ask for a unit? The price list of `prices.json`: versioned, by tier of region, each figure sourced.

Money is whole pico-dollars. A figure that no source states is None; nothing here guesses it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("prices.json")
_PICO = 10**12


class Item(StrEnum):
    """What a line of a bill is about."""

    ACTIVE_CPU = "activeCpu"
    ACTIVE_MEMORY = "activeMemory"
    IDLE_CPU = "idleMinimumCpu"
    IDLE_MEMORY = "idleMinimumMemory"
    INSTANCE_CPU = "instanceCpu"
    INSTANCE_MEMORY = "instanceMemory"
    REQUESTS = "requests"


class Unit(Enum):
    """In which whole numbers a quantity is counted, and how many of them one price is for."""

    CPU = "vCPU-ns", 10**9, "vCPU-second"
    MEMORY = "byte-us", 2**30 * 10**6, "GiB-second"
    REQUESTS = "request", 10**6, "million requests"

    @property
    def symbol(self) -> str:
        """The unit of quantities."""
        return self.value[0]

    @property
    def in_one_price(self) -> int:
        """So many make the unit of prices."""
        return self.value[1]

    @property
    def priced(self) -> str:
        """The unit of prices."""
        return self.value[2]


def unit_of(item: Item) -> Unit:
    """What the item is counted in."""
    if item is Item.REQUESTS:
        return Unit.REQUESTS
    return Unit.CPU if item.value.endswith("Cpu") else Unit.MEMORY


@dataclass(frozen=True, slots=True)
class Price:
    """A figure of the list."""

    usd: str
    picos: int
    unit: Unit

    def amount(self, quantity: int) -> int:
        """Pico-dollars for a quantity, rounded up to a whole one."""
        return -(-quantity * self.picos // self.unit.in_one_price)


class PriceList:
    """The prices of one region."""

    def __init__(self, region: str, document: dict[str, Any] | None = None) -> None:
        self._document = json.loads(_FILE.read_text()) if document is None else document
        self.version: str = self._document["version"]
        self.region = region
        self.tier = next((tier for tier in ("1", "2") if region in self._document["regions"][tier]), None)

    def price(self, item: Item) -> Price | None:
        """The price of an item here; None when nobody states it, or the region's tier."""
        return self._figure(self.tier, item) if self.tier else None

    def free(self, item: Item) -> tuple[int, Price] | None:
        """What is free of an item in a month, as a quantity, and the price of tier 1 that it is worth."""
        price = self._figure("1", item)
        count = self._document["freeTier"].get(item)
        if price is None or count is None:
            return None
        return count * (1 if item is Item.REQUESTS else price.unit.in_one_price), price

    def source(self, item: Item) -> str | None:
        """Who states the price of an item."""
        figure = self._document["tiers"][self.tier][item] if self.tier else None
        return figure["source"] if figure else None

    def _figure(self, tier: str, item: Item) -> Price | None:
        figure = self._document["tiers"][tier][item]
        if figure is None:
            return None
        unit = unit_of(item)
        if figure["per"] != unit.priced:
            raise ValueError(f"The price of {item} is for a {figure['per']}, not for a {unit.priced}.")
        return Price(figure["usd"], _picos(figure["usd"]), unit)


def _picos(usd: str) -> int:
    amount = Decimal(usd) * _PICO
    if amount != int(amount):
        raise ValueError(f"${usd} is no whole number of pico-dollars.")
    return int(amount)
