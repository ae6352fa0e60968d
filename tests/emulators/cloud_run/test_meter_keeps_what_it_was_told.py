"""The facts outlive the emulator, however it ends; the clock says when they were."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx2
import psutil
import pytest

from emulators.clock import Clock
from emulators.cloud_run.meter.facts import Fact, Kind, encode
from emulators.cloud_run.meter.history import History, recall
from emulators.cloud_run.meter.journal import Journal, facts_in
from emulators.cloud_run.meter.meter import Meter
from emulators.cloud_run.meter.prices import Item
from tests.emulators.cloud_run.driver import (
    Emulator,
    a_service,
    alive,
    automatic,
    end,
    eventually,
    http,
    start,
)
from tests.emulators.cloud_run.meter_facts import SERVICE, allocation, billed


def with_meter(path: Path, act: Callable[[Meter, Clock], Awaitable[None]]) -> History:
    """A meter's life: what it does with a clock that is held, and what is known at its end."""

    async def live() -> History:
        clock = Clock()
        clock.hold()
        meter = Meter(Journal(path), clock)
        await act(meter, clock)
        meter.close()
        return recall(facts_in(path))

    return asyncio.run(live())


async def an_hour_in_flight(meter: Meter, clock: Clock) -> None:
    meter.minimum_set(SERVICE, 1)
    meter.instance_started(allocation())
    meter.instance_ready("i1")
    meter.request_began("i1")
    await clock.advance(timedelta(hours=1))
    meter.request_ended("i1")
    await clock.advance(timedelta(hours=1))
    meter.instance_stopping("i1")
    await clock.advance(timedelta(seconds=10))
    meter.instance_gone("i1")


async def nothing(_meter: Meter, _clock: Clock) -> None:
    """Only be there."""


def test_the_meter_counts_by_the_clock_that_is_moved(tmp_path: Path) -> None:
    found = billed(with_meter(tmp_path / "facts.jsonl", an_hour_in_flight))

    assert found.quantity(Item.ACTIVE_CPU) == 3610 * 10**9
    assert found.quantity(Item.IDLE_CPU) == 3600 * 10**9
    assert found.quantity(Item.REQUESTS) == 1


def test_the_next_emulator_knows_what_the_last_one_was_told(tmp_path: Path) -> None:
    before = billed(with_meter(tmp_path / "facts.jsonl", an_hour_in_flight))

    assert billed(with_meter(tmp_path / "facts.jsonl", nothing)).lines == before.lines


def test_a_fact_that_was_written_by_half_is_cut_off_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    whole = [Fact(1, Kind.STARTED, "i1", allocation()), Fact(2, Kind.READY, "i1")]
    journal = Journal(path)
    for fact in whole:
        journal.add(fact)
    journal.close()
    path.write_bytes(path.read_bytes() + b'{"t":3,"k":"gon')

    journal = Journal(path)
    journal.add(Fact(4, Kind.GONE, "i1"))
    found = list(facts_in(path))
    journal.close()

    assert found == [*whole, Fact(4, Kind.GONE, "i1")]


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 10_000])
def test_a_file_without_a_whole_line_begins_anew(tmp_path: Path, size: int) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(b"x" * size)

    journal = Journal(path)

    assert list(facts_in(path)) == []
    assert path.stat().st_size == 0
    journal.close()


def test_a_killed_emulator_s_instances_are_billed_to_the_latest_time_that_it_knew(tmp_path: Path) -> None:
    """And no longer, however late the next emulator comes; what that one starts is billed on its own."""
    first = start(tmp_path, "--idle-shutdown", "600")
    try:
        first.create("ws-killed", a_service())
        first.scale("ws-killed", automatic(1, 1))
        eventually(lambda: first.instances("ws-killed", "FROZEN"))
        http.post(f"{first.url}/emulator/v1/clock:advance", json={"seconds": 100})
        assert http.get(first.get("ws-killed").uri).is_success
    finally:
        first.process.kill()
        first.process.wait()

    second = start(tmp_path, port=first.port)
    try:
        eventually(lambda: second.instances("ws-killed", "FROZEN"))
        http.post(f"{second.url}/emulator/v1/clock:advance", json={"seconds": 1000})
        lines = bill_of(second, "ws-killed")["lines"]
        [killed] = {line["instance"] for line in lines} - {one["id"] for one in second.instances("ws-killed")}
        idle = [line for line in lines if line["item"] == "idleMinimumCpu"]
        seconds = {line["instance"]: int(line["quantity"]) / 10**9 for line in idle}
        assert 99 <= seconds.pop(killed) < 1000 <= sum(seconds.values()) + 1
        ended = max(line["intervals"][-1]["end"] for line in idle if line["instance"] == killed)
        assert ended <= min(
            line["intervals"][0]["start"]
            for line in lines
            if line["instance"] in seconds and line["intervals"]
        )
        assert [line["quantity"] for line in lines if line["item"] == "requests"] == ["1"]
    finally:
        end(second)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("from=2026-10-09", "from"),
        ("from=2026-10-09T12:00:00", "from"),
        ("to=2026-13-09T12:00:00Z", "to"),
        ("from=2026-10-09T12:00:00Z&to=2026-10-09T11:59:59Z", "to"),
    ],
)
def test_a_time_that_is_none_is_refused_by_the_name_of_its_field(
    emulator: Emulator, query: str, field: str
) -> None:
    for path in ("services/some/bill", "bill"):
        answer = http.get(f"{emulator.url}/emulator/v1/{path}?{query}")
        assert answer.status_code == 400
        [details] = answer.json()["error"]["details"]
        assert details["fieldViolations"][0]["field"] == field


def test_the_bill_of_all_services_is_the_sum_of_theirs_and_the_free_tier_is_taken_off_if_asked(
    emulator: Emulator, service_id: str
) -> None:
    window = "from=2026-01-01T00:00:00%2B01:00&to=2999-01-01T00:00:00Z"
    emulator.create(service_id, a_service())
    emulator.scale(service_id, automatic(0, 1))
    assert http.get(emulator.get(service_id).uri).is_success

    everything = http.get(f"{emulator.url}/emulator/v1/bill?{window}").json()
    services = {line["service"] for line in everything["lines"]}
    assert service_id in services
    fees = [line for line in everything["lines"] if line["item"] == "requests"]
    own = bill_of(emulator, service_id)
    assert own["priceList"] == {"version": "2026-10-09", "region": "europe-west1", "tier": "1"}
    assert [line for line in fees if line["service"] == service_id] == [
        line for line in own["lines"] if line["item"] == "requests"
    ]
    free = http.get(f"{emulator.url}/emulator/v1/bill?{window}&freeTier=true").json()
    assert [credit for credit in free["credits"] if credit["item"] == "requests"]
    assert int(free["total"]) < int(everything["total"])


def test_a_bill_that_is_being_made_does_not_keep_the_emulator_from_its_end(tmp_path: Path) -> None:
    """Nor from answering others; the process that makes it goes with it."""
    facts = tmp_path / "meter" / "facts.jsonl"
    facts.parent.mkdir()
    once = [Fact(1, Kind.STARTED, "i1", allocation()), Fact(2, Kind.READY, "i1")]
    each = [fact for n in range(100_000) for fact in (Fact(n, Kind.BEGAN, "i1"), Fact(n, Kind.ENDED, "i1"))]
    facts.write_text("".join(f"{encode(fact)}\n" for fact in [*once, *each]))
    emulator = start(tmp_path)
    asking = threading.Thread(target=lambda: ask_in_vain(f"{emulator.url}/emulator/v1/bill?freeTier=true"))
    asking.start()
    [clerk] = eventually(psutil.Process(emulator.process.pid).children)
    assert http.get(emulator.url).text == "Ok"
    assert clerk.is_running()
    end(emulator)
    assert not alive(clerk.pid)
    asking.join()


def ask_in_vain(url: str) -> None:
    with suppress(httpx2.HTTPError):
        httpx2.get(url, timeout=60)


def bill_of(emulator: Emulator, service_id: str) -> dict:
    return http.get(f"{emulator.url}/emulator/v1/services/{service_id}/bill").raise_for_status().json()
