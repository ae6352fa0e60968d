"""What an hour costs, and a request: versioned rate cards.

`list` follows Cloud Run's list prices (`shared.domain.list_prices`) and is never below what Google bills. Its active
rate has `CONTROL_CALLS` in it: the control plane's own calls to the agent (looks, quiesces, saves), which Google counts
as requests and nobody else does; those that the gateway forwards are counted one by one, at `requests`. `flat` is one
price for every size, and for no request; an image with a rate of its own replaces its active rate, and there alone:
what Google asks knows no images. Off costs nothing on either card.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from shared.domain import list_prices
from shared.domain.list_prices import tier_of
from shared.domain.money import MILLION, NO_FEE, HourlyRate, MillionRate
from shared.domain.sizes import Size


class Card(StrEnum):
    LIST = "list"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class Rate:
    """The prices of one workstation, and where they come from."""

    card: str
    version: str
    active: HourlyRate
    idle: HourlyRate
    requests: MillionRate = list_prices.REQUESTS


IMAGE_RATES: Mapping[str, HourlyRate] = MappingProxyType(
    {"alpine": HourlyRate(10_000), "ubuntu": HourlyRate(40_000)}
)

CONTROL_CALLS = 750
"""An hour. A silent one is looked at by each sweep, once a minute, with at most twelve calls; IDLE ones are not called."""

_FLAT_ACTIVE, _FLAT_IDLE = HourlyRate(50_000), HourlyRate(10_000)


def rate_for(card: Card, size: Size, region: str, image: str = "") -> Rate:
    """The rate of `size` in `region` on `card`; `image` is the image's plain name, such as `alpine`."""
    return _flat_rate(image) if card is Card.FLAT else _list_rate(size, region)


def request_fee(card: str) -> MillionRate:
    """What a million requests cost on `card`."""
    return NO_FEE if card == Card.FLAT else list_prices.REQUESTS


def _flat_rate(image: str) -> Rate:
    active = IMAGE_RATES.get(image, _FLAT_ACTIVE)
    return Rate("flat", "1", active, min(_FLAT_IDLE, active, key=int), request_fee(Card.FLAT))


def _list_rate(size: Size, region: str) -> Rate:
    tier = tier_of(region)
    calls = CONTROL_CALLS * list_prices.REQUESTS // MILLION
    active = HourlyRate(_hourly(size, tier.active_vcpu, tier.active_gib) + calls)
    idle = _hourly(size, tier.idle_vcpu, tier.idle_gib)
    return Rate("list", f"{list_prices.VERSION}/{tier.name}", active, idle, request_fee(Card.LIST))


def _hourly(size: Size, vcpu: HourlyRate, gib: HourlyRate) -> HourlyRate:
    """Rounded up to a whole micro-dollar an hour: the ledger is never below the bill."""
    thousandths = size.cpu * vcpu - (-size.memory * gib * 1000 // 1024)
    return HourlyRate(-(-thousandths // 1000))
