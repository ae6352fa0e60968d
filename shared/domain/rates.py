"""What an hour costs: versioned rate cards.

`list` follows Cloud Run's list prices (tier 1, request-based billing, read 2026-10-09): an active vCPU-second
$0.000024, an idle minimum vCPU-second $0.0000025, a GiB-second $0.0000025 either way. `flat` is one price for
every size. The rate of an image, where it has one, replaces the active rate. Off costs nothing on either card.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from shared.domain.money import HourlyRate
from shared.domain.sizes import Size


class Card(StrEnum):
    LIST = "list"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class Rate:
    """The two prices of one workstation, and where they come from."""

    card: str
    version: str
    active: HourlyRate
    idle: HourlyRate


IMAGE_RATES: Mapping[str, HourlyRate] = MappingProxyType(
    {"alpine": HourlyRate(10_000), "ubuntu": HourlyRate(40_000)}
)

_ACTIVE_VCPU_HOUR = 86_400
_IDLE_VCPU_HOUR = 9_000
_GIB_HOUR = 9_000


def rate_for(card: Card, size: Size, image: str = "") -> Rate:
    """The rate of `size` on `card`; `image` is the image's plain name, such as `alpine`."""
    rate = _FLAT if card is Card.FLAT else _list_rate(size)
    if image not in IMAGE_RATES:
        return rate
    return Rate(rate.card, rate.version, IMAGE_RATES[image], min(rate.idle, IMAGE_RATES[image], key=int))


_FLAT = Rate("flat", "1", HourlyRate(50_000), HourlyRate(10_000))


def _list_rate(size: Size) -> Rate:
    return Rate("list", "2026-10-09", _hourly(size, _ACTIVE_VCPU_HOUR), _hourly(size, _IDLE_VCPU_HOUR))


def _hourly(size: Size, vcpu_hour: int) -> HourlyRate:
    """Rounded up to a whole micro-dollar an hour: the ledger is never below the bill."""
    thousandths = size.cpu * vcpu_hour - (-size.memory * _GIB_HOUR * 1000 // 1024)
    return HourlyRate(-(-thousandths // 1000))
