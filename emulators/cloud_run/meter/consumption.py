"""What was used of each item, and when? The spans of all instances and their requests, found once; no price is known here.

A question about many times of the axis is answered in one pass: so a year of months costs no more than a day.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emulators.cloud_run.meter.history import History, Life, Stretch
from emulators.cloud_run.meter.prices import Item
from emulators.cloud_run.meter.spans import Basis, Span, spans

ITEMS = {
    Basis.ACTIVE: (Item.ACTIVE_CPU, Item.ACTIVE_MEMORY),
    Basis.IDLE_MINIMUM: (Item.IDLE_CPU, Item.IDLE_MEMORY),
    Basis.INSTANCE: (Item.INSTANCE_CPU, Item.INSTANCE_MEMORY),
}
Quantities = dict[Item, int]


@dataclass(frozen=True, slots=True)
class Consumption:
    """All that some services used by a time."""

    spans: Sequence[Span]
    lives: Sequence[Life]
    """Those whose requests have a fee."""

    def within(self, windows: Sequence[Stretch]) -> list[Quantities]:
        """What was used in each of the times, which are in order and do not overlap."""
        found: list[Quantities] = [{} for _ in windows]
        ends = [end for _, end in windows]
        for span in self.spans:
            shares = list(
                zip(ITEMS[span.basis], (span.allocation.milli_cpu, span.allocation.memory_bytes), strict=True)
            )
            for number in range(bisect_right(ends, span.start), len(windows)):
                start, end = max(span.start, windows[number][0]), min(span.end, windows[number][1])
                if windows[number][0] >= span.end:
                    break
                for item, share in shares:
                    _add(found[number], item, share * max(0, end - start))
        for number, window in enumerate(windows):
            _add(found[number], Item.REQUESTS, sum(requests(life, window) for life in self.lives))
        return found


def consumption(history: History, services: Iterable[str], now: int) -> Consumption:
    """What the services used, as far as it is known `now`."""
    ids = list(services)
    lives = [life for service in ids for life in history.of(service) if life.allocation.cpu_idle]
    return Consumption([span for service in ids for span in spans(history, service, now)], lives)


def requests(life: Life, window: Stretch) -> int:
    """How many requests the instance was given in a time."""
    return bisect_left(life.requests, window[1]) - bisect_left(life.requests, window[0])


def _add(quantities: Quantities, item: Item, quantity: int) -> None:
    quantities[item] = quantities.get(item, 0) + quantity
