"""What the meter asks for is what the price table says, worked out by hand."""

from __future__ import annotations

import pytest

from emulators.cloud_run.meter.consumption import consumption
from emulators.cloud_run.meter.free_tier import credits_of, months
from emulators.cloud_run.meter.prices import Item, PriceList
from emulators.cloud_run.meter.times import window
from tests.emulators.cloud_run.meter_facts import (
    EVER,
    GIB,
    HOUR,
    MIB,
    SECOND,
    SERVICE,
    TIER_1,
    Course,
    allocation,
    billed,
    history,
    usd,
)

SIZES = [
    pytest.param(500, 512 * MIB, 0.0477, 0.0090, id="0.5/512Mi"),
    pytest.param(1000, 512 * MIB, 0.0909, 0.0135, id="1/512Mi"),
    pytest.param(1000, GIB, 0.0954, 0.0180, id="1/1Gi"),
    pytest.param(2000, 2 * GIB, 0.1908, 0.0360, id="2/2Gi"),
    pytest.param(4000, 8 * GIB, 0.4176, 0.1080, id="4/8Gi"),
]


@pytest.mark.parametrize(("cpu", "memory", "active", "idle"), SIZES)
def test_an_hour_in_flight_and_an_hour_of_idle_minimum_cost_what_the_table_says(
    cpu: int, memory: int, active: float, idle: float
) -> None:
    """The list prices by the hour; the request itself adds $0.0000004."""
    size = allocation(cpu=cpu, memory=memory)
    busy = history(Course(size, requests=[(0, HOUR)]))
    idling = history(Course(size), minimums=[(0, 1)])

    assert usd(billed(busy, now=HOUR).total) == active
    assert usd(billed(idling, now=HOUR).total) == idle
    assert billed(history(Course(size)), now=HOUR).total == 0


@pytest.mark.parametrize(
    ("cpu", "memory", "hour"),
    [
        (1000, 512 * MIB, 0.0684),
        (1000, GIB, 0.0720),
        (2000, 2 * GIB, 0.1440),
        (4000, 8 * GIB, 0.3168),
    ],
)
def test_an_hour_of_instance_based_billing_costs_what_the_table_says(
    cpu: int, memory: int, hour: float
) -> None:
    whole = history(Course(allocation(cpu=cpu, memory=memory, cpu_idle=False), requests=[(0, SECOND)]))

    assert usd(billed(whole, now=HOUR).total) == hour


def test_one_cpu_half_a_gib_one_hour_in_flight_to_the_pico_dollar() -> None:
    """3600 x $0.000024 + 1800 x $0.0000025 + one request at $0.0000004."""
    found = billed(history(Course(allocation(), requests=[(0, HOUR)])), now=HOUR)

    assert found.quantity(Item.ACTIVE_CPU) == 3600 * 10**9
    assert found.quantity(Item.ACTIVE_MEMORY) == 1800 * GIB * 10**6
    assert found.total == 86_400_000_000 + 4_500_000_000 + 400_000


def test_a_month_of_idle_minimum_costs_what_the_table_says() -> None:
    """730 h at 1/512Mi are $9.86."""
    assert (
        round(billed(history(Course(allocation()), minimums=[(0, 1)]), now=730 * HOUR).total / 10**12, 2)
        == 9.86
    )


def test_a_million_requests_cost_forty_cents_and_none_with_instance_based_billing() -> None:
    requests = [(0, 0)] * 1000

    assert billed(history(Course(allocation(), requests=requests))).total == 400_000_000
    whole = billed(history(Course(allocation(cpu_idle=False), requests=requests)))
    assert whole.quantity(Item.REQUESTS) == 0


def test_tier_2_is_priced_where_a_source_states_it_and_marked_where_none_does() -> None:
    seoul = PriceList("asia-northeast3")
    told = history(Course(allocation(), requests=[(0, HOUR)]), minimums=[(0, 1)])

    found = billed(told, now=2 * HOUR, prices=seoul)

    assert found.total == 3600 * 33_600_000 + 1800 * 3_500_000 + 400_000
    assert found.unpriced == [Item.IDLE_CPU, Item.IDLE_MEMORY]
    assert [line.amount for line in found.lines if line.price is None] == [None, None]


@pytest.mark.parametrize("region", ["mars-north1", "asia-south1"])
def test_a_region_whose_tier_is_unknown_or_disputed_has_no_price_at_all(region: str) -> None:
    found = billed(history(Course(allocation(), requests=[(0, HOUR)])), now=HOUR, prices=PriceList(region))

    assert found.total == 0
    assert found.unpriced == [Item.ACTIVE_CPU, Item.ACTIVE_MEMORY, Item.REQUESTS]
    assert found.quantity(Item.ACTIVE_CPU) == 3600 * 10**9


def test_every_figure_of_the_list_has_a_source() -> None:
    for region in ("us-central1", "us-west2"):
        prices = PriceList(region)
        for item in Item:
            assert (prices.price(item) is None) == (prices.source(item) is None)


def test_the_free_tier_takes_off_what_was_used_first_however_the_month_is_cut() -> None:
    """180,000 vCPU-seconds are 50 h of one CPU: of 60 h the last ten are paid for."""
    told = history(Course(allocation(memory=GIB), requests=[(10 * HOUR, 70 * HOUR)]))
    start, middle, end = 10 * HOUR, 40 * HOUR, 70 * HOUR

    def taken(first: int, last: int, item: Item) -> int:
        found = credits_of(consumption(told, [SERVICE], end), (first, last), end, TIER_1)
        return sum(credit.amount for credit in found if credit.item is item)

    assert taken(start, end, Item.ACTIVE_CPU) == 180_000 * 24_000_000
    assert taken(start, middle, Item.ACTIVE_CPU) == 108_000 * 24_000_000
    assert taken(middle, end, Item.ACTIVE_CPU) == 72_000 * 24_000_000
    assert taken(start, end, Item.ACTIVE_MEMORY) == 216_000 * 2_500_000
    assert taken(start, end, Item.REQUESTS) == 400_000


def test_the_free_tier_begins_anew_with_each_month() -> None:
    asked = window("2026-10-15T00:00:00Z", "2026-12-15T00:00:00Z")
    octobers_end, novembers_end = (stretch[1] for stretch in list(months(asked))[:2])
    assert len(list(months(asked))) == 3
    assert novembers_end - octobers_end == (30 * 24 + 1) * HOUR, "summer time ended in November"

    told = history(Course(allocation(), octobers_end - 60 * HOUR, None, gone=octobers_end + 60 * HOUR))
    used = consumption(told, [SERVICE], told.latest)
    found = credits_of(used, EVER_KNOWN, told.latest, TIER_1)
    assert {credit.item: credit.amount for credit in found}[Item.ACTIVE_CPU] == 2 * 180_000 * 24_000_000


EVER_KNOWN = window("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
assert EVER_KNOWN[1] < EVER[1]
