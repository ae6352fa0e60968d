"""What does a time of the axis cost? Lines of a quantity, a price and an amount; pure.

Quantities are exact: the bill of [a, b) and that of [b, c) add up to that of [a, c). An amount is its line's quantity
times its price, rounded up to a pico-dollar; a total is the sum of its lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emulators.cloud_run.instances.usage import Allocation
from emulators.cloud_run.meter.consumption import ITEMS, Consumption, requests
from emulators.cloud_run.meter.history import Stretch
from emulators.cloud_run.meter.prices import Item, Price, PriceList
from emulators.cloud_run.meter.spans import Span


@dataclass(slots=True)
class Line:
    """One item of one instance; `amount` is in pico-dollars, None where the list has no price."""

    service: str
    revision: str
    instance: str
    item: Item
    price: Price | None
    quantity: int = 0
    intervals: list[Stretch] = field(default_factory=list)

    @property
    def amount(self) -> int | None:
        """Pico-dollars."""
        return self.price.amount(self.quantity) if self.price else None


@dataclass(frozen=True, slots=True)
class Bill:
    """The lines of a time, by service, revision, instance and item."""

    lines: list[Line]

    @property
    def total(self) -> int:
        """Pico-dollars of all that has a price."""
        return sum(line.amount or 0 for line in self.lines)

    @property
    def unpriced(self) -> list[Item]:
        """What was used and has no price in the list."""
        return sorted({line.item for line in self.lines if line.price is None})

    def quantity(self, item: Item) -> int:
        """How much of an item, over all lines."""
        return sum(line.quantity for line in self.lines if line.item is item)


def bill(used: Consumption, window: Stretch, prices: PriceList) -> Bill:
    """What Google would ask for the time `window` of what was used."""
    book = _Book(prices)
    for span in used.spans:
        book.add_span(span, window)
    for life in used.lives:
        book.add_requests(life.allocation, requests(life, window))
    return Bill(book.lines())


class _Book:
    """Lines that are being filled."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._lines: dict[tuple[str, str, str, Item], Line] = {}

    def add_span(self, span: Span, window: Stretch) -> None:
        start, end = max(span.start, window[0]), min(span.end, window[1])
        if start >= end:
            return
        shares = span.allocation.milli_cpu, span.allocation.memory_bytes
        for item, share in zip(ITEMS[span.basis], shares, strict=True):
            line = self._line(span.allocation, item)
            line.quantity += share * (end - start)
            line.intervals.append((start, end))

    def add_requests(self, allocation: Allocation, count: int) -> None:
        if count:
            self._line(allocation, Item.REQUESTS).quantity += count

    def lines(self) -> list[Line]:
        return [line for _, line in sorted(self._lines.items())]

    def _line(self, allocation: Allocation, item: Item) -> Line:
        key = (allocation.service_id, allocation.revision, allocation.instance, item)
        if key not in self._lines:
            self._lines[key] = Line(*key, self._prices.price(item))
        return self._lines[key]
