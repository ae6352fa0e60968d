"""What does the free tier take off? A month's allowance of a billing account, at the prices of tier 1, where used first.

Assumed: a month begins at midnight in Los Angeles, where Google's billing reports begin theirs; idle minimum time
uses up no allowance; the emulator's services are all that the billing account has. What is taken off a time is the
difference of what is taken off up to its ends, so that it is the same however a month is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from emulators.cloud_run.meter.consumption import Consumption
from emulators.cloud_run.meter.history import Stretch
from emulators.cloud_run.meter.prices import Item, PriceList
from emulators.cloud_run.meter.times import micros, moment

_ZONE = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True, slots=True)
class Credit:
    """What is taken off for one item: a worth in pico-dollars."""

    item: Item
    amount: int


def credits_of(used: Consumption, window: Stretch, now: int, prices: PriceList) -> list[Credit]:
    """The discount on the bill of all that was used in `window`; never more than what it costs."""
    # Before the first instance, and after now, there is nothing to take anything off: "all there is" has many months.
    begun = min((span.start for span in used.spans), default=now)
    since = max(window[0], begun)
    known = since, max(since, min(window[1], now))
    cuts = [(month[0], *_cuts(month, known)) for month in months(known)]
    found = used.within([part for first, start, end in cuts for part in ((first, start), (start, end))])
    totals: dict[Item, int] = {}
    for before, within in zip(found[::2], found[1::2], strict=True):
        for item in Item:
            least, more = before.get(item, 0), within.get(item, 0)
            taken = _worth(least + more, prices, item) - _worth(least, prices, item)
            totals[item] = totals.get(item, 0) + taken
    return [Credit(item, amount) for item, amount in totals.items() if amount]


def months(window: Stretch) -> Iterator[Stretch]:
    """The billing months that a time touches."""
    start = moment(window[0]).astimezone(_ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while micros(start) < window[1]:
        following = (start + timedelta(days=32)).replace(day=1)
        yield micros(start), micros(following)
        start = following


def _cuts(month: Stretch, window: Stretch) -> tuple[int, int]:
    return max(month[0], window[0]), min(month[1], window[1])


def _worth(used: int, prices: PriceList, item: Item) -> int:
    """What is taken off for so much of an item since its month began."""
    free, price = prices.free(item), prices.price(item)
    if free is None or price is None:
        return 0
    quantity, worth = free
    return min(worth.amount(quantity), price.amount(used))
