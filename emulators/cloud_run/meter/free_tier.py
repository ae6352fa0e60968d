"""What does the free tier take off? A month's allowance of a billing account, at the prices of tier 1, where used first.

Assumed: a month begins at midnight in Los Angeles, where Google's billing reports begin theirs; idle minimum time
uses up no allowance; the emulator's services are all that the billing account has. What is taken off a time is the
difference of what is taken off up to its ends, so that it is the same however a month is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from emulators.cloud_run.meter.bill import bill
from emulators.cloud_run.meter.history import History, Stretch
from emulators.cloud_run.meter.prices import Item, PriceList
from emulators.cloud_run.meter.times import micros, moment

_ZONE = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True, slots=True)
class Credit:
    """What is taken off for one item: a worth in pico-dollars."""

    item: Item
    amount: int


def credits_of(
    history: History, services: Iterable[str], window: Stretch, now: int, prices: PriceList
) -> list[Credit]:
    """The discount on the bill of all `services` for `window`; never more than what they cost."""
    ids = list(services)
    # Before the first instance, and after now, there is nothing to take anything off: "all there is" has many months.
    begun = min((life.started for service in ids for life in history.of(service)), default=now)
    known = max(window[0], begun), min(window[1], now)
    totals: dict[Item, int] = {}
    for month in months(known):
        for item in Item:
            used = [_worth(history, ids, (month[0], end), now, prices, item) for end in _cuts(month, known)]
            totals[item] = totals.get(item, 0) + used[1] - used[0]
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


def _worth(
    history: History, services: list[str], window: Stretch, now: int, prices: PriceList, item: Item
) -> int:
    free, price = prices.free(item), prices.price(item)
    if free is None or price is None:
        return 0
    quantity, worth = free
    used = bill(history, services, window, now, prices).quantity(item)
    return min(worth.amount(quantity), price.amount(used))
