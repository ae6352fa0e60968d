"""What Google bills for what instances do, asked of the meter; Google's own bill comes a day later and cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.till import HOUR, Till, bill
from tests.emulators.cloud_run.driver import automatic, eventually, http, manual, running

pytestmark = pytest.mark.emulator_only

PRICING = "cloud.google.com/run/pricing"
SETTINGS = "cloud.google.com/run/docs/configuring/billing-settings"
MINIMUM = "cloud.google.com/run/docs/configuring/min-instances"
MANUAL = "cloud.google.com/run/docs/configuring/services/manual-scaling"
SOCKETS = "cloud.google.com/run/docs/triggering/websockets"


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    """One emulator for all of them; it stops nothing for idleness, however far the clock is moved."""
    flags = ("--grace", "1", "--restart-delay", "0.05", "--idle-shutdown", "86400")
    with running(tmp_path_factory.mktemp("billing"), *flags) as emulator:
        yield Till(emulator)


@check("BILL-001", source=f"{PRICING}, tier 1")
def test_an_hour_in_flight(till: Till) -> None:
    """With request-based billing 1 vCPU and 512 MiB cost $0.0909 for an hour with a request open."""
    service = till.serve("in-flight", automatic(1, 1))
    till.rests("in-flight")
    with till.standing() as spell, till.open_socket(service):
        spell.passes(HOUR)
        found = spell.bill("in-flight")
    assert found.usd == 0.0909
    assert found.cpu_seconds == {"activeCpu": HOUR}


@check("BILL-002", source=f"{PRICING}, tier 1")
def test_an_hour_of_an_idle_minimum_instance(till: Till) -> None:
    """With request-based billing an idle minimum instance of 1 vCPU and 512 MiB costs $0.0135 an hour."""
    till.serve("idle-minimum", automatic(1, 1))
    till.rests("idle-minimum")
    with till.standing() as spell:
        spell.passes(HOUR)
        found = spell.bill("idle-minimum")
    assert found.usd == 0.0135
    assert found.cpu_seconds == {"idleMinimumCpu": HOUR}


@check("BILL-003", source=f"{PRICING}")
def test_idle_above_the_minimum(till: Till) -> None:
    """An idle instance that is not a minimum instance costs nothing with request-based billing."""
    service = till.serve("above-minimum", automatic(0, 1))
    assert http.get(service.uri).is_success
    till.rests("above-minimum")
    with till.standing() as spell:
        spell.passes(600)
        found = spell.bill("above-minimum")
    assert found.document["lines"] == []


@check("BILL-004", source=f"{PRICING}: several requests share the CPU and memory of an instance")
def test_overlapping_requests(till: Till) -> None:
    """Requests that overlap on one instance are billed as one time, not as the sum of theirs."""
    service = till.serve("overlap", automatic(1, 1))
    till.rests("overlap")
    with till.standing() as spell:
        with till.open_socket(service):
            spell.passes(100)
            with till.open_socket(service):
                spell.passes(100)
            spell.passes(100)
        found = spell.bill("overlap")
    assert found.cpu_seconds == {"activeCpu": 300}
    assert found.quantity("requests") == 2


@check("BILL-005", source=SOCKETS)
def test_a_silent_websocket(till: Till) -> None:
    """An instance that has any open WebSocket is active and billed so, even when nothing is sent."""
    service = till.serve("silent-socket", automatic(0, 1))
    with till.open_socket(service), till.standing() as spell:
        spell.passes(1800)
        found = spell.bill("silent-socket")
    assert found.cpu_seconds == {"activeCpu": 1800}


@check("BILL-006", source=f"{PRICING}: $0.40 for a million requests")
def test_the_request_fee(till: Till) -> None:
    """With request-based billing each request that reaches the container costs $0.0000004."""
    service = till.serve("fee", automatic(1, 1))
    till.rests("fee")
    for _ in range(5):
        assert http.get(service.uri).is_success
    fee = [line for line in bill(till.emulator, "fee").document["lines"] if line["item"] == "requests"]
    assert [(line["quantity"], line["amount"]) for line in fee] == [("5", str(5 * 400_000))]


@check("BILL-007", source=f"{SETTINGS}; {PRICING}: no request fee with instance-based billing")
def test_instance_based_billing_is_for_the_whole_life(till: Till) -> None:
    """With instance-based billing the whole life is billed at $0.0684 an hour for 1 vCPU and 512 MiB, requests or not."""
    service = till.serve("whole-life", automatic(1, 1), cpu_idle=False)
    till.rests("whole-life")
    with till.standing() as spell:
        spell.passes(HOUR / 2)
        with till.open_socket(service):
            spell.passes(HOUR / 2)
        found = spell.bill("whole-life")
    assert found.usd == 0.0684
    assert found.cpu_seconds == {"instanceCpu": HOUR}
    assert found.quantity("requests") == 0


@check("BILL-008", source=f"{PRICING}: a minimum of 1 minute for instance-based billing")
def test_instance_based_billing_is_for_a_minute_at_least(till: Till) -> None:
    """With instance-based billing an instance that lived for less than a minute is billed for a minute."""
    till.serve("short-life", manual(1), cpu_idle=False)
    till.rests("short-life")
    till.emulator.scale("short-life", manual(0))
    eventually(lambda: not till.emulator.instances("short-life"))
    assert bill(till.emulator, "short-life").cpu_seconds == {"instanceCpu": 60}


@check("BILL-009", source=f"{MANUAL}, billing")
def test_manual_instances_are_billed_as_minimum_instances(till: Till) -> None:
    """With request-based billing idle instances of a manually scaled service cost the rate of minimum instances."""
    till.serve("manual-two", manual(2))
    till.rests("manual-two", 2)
    with till.standing() as spell:
        spell.passes(HOUR)
        found = spell.bill("manual-two")
    assert found.cpu_seconds == {"idleMinimumCpu": 2 * HOUR}
    assert found.usd == 0.0270


@check("BILL-010", source=f"{MANUAL}, billing")
def test_manual_instances_with_instance_based_billing(till: Till) -> None:
    """With instance-based billing instances of a manually scaled service cost the full rate, idle or not."""
    till.serve("manual-whole", manual(1), cpu_idle=False)
    till.rests("manual-whole")
    with till.standing() as spell:
        spell.passes(HOUR)
        found = spell.bill("manual-whole")
    assert found.cpu_seconds == {"instanceCpu": HOUR}


@check("BILL-011", source=f"{MANUAL}: no instance; that a service at rest is free is believed", assumed=True)
def test_manual_zero_costs_nothing(till: Till) -> None:
    """A service at MANUAL 0 costs nothing, even when requests come."""
    service = till.serve("off", manual(0))
    with till.standing() as spell:
        for _ in range(3):
            assert http.get(service.uri).status_code == 503
        spell.passes(HOUR)
        found = spell.bill("off")
    assert found.document["lines"] == []


@check("BILL-012", source=MINIMUM)
def test_a_serving_instance_fills_a_place_of_the_minimum(till: Till) -> None:
    """With a minimum of 2, of which 1 is active, 1 idle minimum instance is billed."""
    service = till.serve("one-of-two", manual(2))
    till.rests("one-of-two", 2)
    with till.standing() as spell, till.open_socket(service):
        spell.passes(100)
        found = spell.bill("one-of-two")
    assert found.cpu_seconds == {"activeCpu": 100, "idleMinimumCpu": 100}


@check("BILL-013", source=f"{MINIMUM}: in effect without a new revision")
def test_a_minimum_that_is_lowered_ends_its_price(till: Till) -> None:
    """An instance that idles on after the minimum was lowered costs nothing from then on."""
    till.serve("lowered", automatic(1, 1))
    till.rests("lowered")
    till.emulator.scale("lowered", automatic(0, 1))
    with till.standing() as spell:
        spell.passes(600)
        found = spell.bill("lowered")
    assert till.emulator.instances("lowered")
    assert found.document["lines"] == []


@check(
    "BILL-014",
    source=f"{SETTINGS}: charged when they process requests, when they start, and when they shut down",
)
def test_startup_is_billed(till: Till) -> None:
    """With request-based billing the time that an instance takes to start is billed as active."""
    till.serve("startup", automatic(1, 1))
    till.rests("startup")
    lines = bill(till.emulator, "startup").document["lines"]
    active = next(line for line in lines if line["item"] == "activeCpu")
    assert int(active["quantity"]) > 0
    assert len(active["intervals"]) == 1


@check("BILL-015", source=f"{SETTINGS}: charged ... when they shut down; the 10 s after SIGTERM are billable")
def test_shutdown_is_billed(till: Till) -> None:
    """With request-based billing the time from SIGTERM to the end of the instance is billed as active."""
    till.serve("shutdown", automatic(1, 1))
    till.rests("shutdown")
    with till.standing() as spell:
        spell.passes(1)
    till.emulator.scale("shutdown", manual(0))
    eventually(lambda: not till.emulator.instances("shutdown"))
    active = next(
        line for line in bill(till.emulator, "shutdown").document["lines"] if line["item"] == "activeCpu"
    )
    assert len(active["intervals"]) == 2


@check("BILL-016", source=f"{PRICING}: rounded up to the nearest 100 millisecond")
def test_time_is_rounded_up_to_100_ms(till: Till) -> None:
    """Active time is billed in steps of 100 ms, rounded up."""
    service = till.serve("rounded", automatic(0, 1))
    assert http.get(service.uri).is_success
    till.rests("rounded")
    with till.standing() as spell:
        with till.open_socket(service):
            spell.passes(0.25)
        spell.passes(1)
        found = spell.bill("rounded")
    assert found.cpu_seconds == {"activeCpu": 0.3}


@check("BILL-017", assumed=True, source="no source says how roundings of one instance meet")
def test_no_moment_is_billed_twice(till: Till) -> None:
    """Where the rounding of one active time meets the next one, both are one time and no moment is billed twice."""
    service = till.serve("close", automatic(0, 1))
    assert http.get(service.uri).is_success
    till.rests("close")
    with till.standing() as spell:
        for _ in range(4):
            with till.open_socket(service):
                spell.passes(0.01)
            spell.passes(0.01)
        spell.passes(1)
        found = spell.bill("close")
    assert found.cpu_seconds == {"activeCpu": 0.1}
    assert found.quantity("requests") == 4


@check(
    "BILL-018",
    assumed=True,
    source=f"{MINIMUM} says how many idle instances are minimum instances, not which",
)
def test_the_oldest_idle_instance_is_the_minimum_one(till: Till) -> None:
    """Of several idle instances the oldest are billed as minimum instances."""
    till.serve("oldest", automatic(1, 2))
    till.rests("oldest")
    oldest = till.emulator.instances("oldest")[0]["id"]
    till.emulator.scale("oldest", manual(2))
    till.rests("oldest", 2)
    till.emulator.scale("oldest", automatic(1, 2))
    with till.standing() as spell:
        spell.passes(100)
        lines = spell.bill("oldest").document["lines"]
    assert len(till.emulator.instances("oldest")) == 2
    assert {line["instance"] for line in lines} == {oldest}


@check(
    "BILL-019",
    source="cloud.google.com/run/docs/configuring/cpu-allocation: CPU is allocated for every probe",
)
def test_liveness_probes_are_billed(till: Till) -> None:
    """With request-based billing each liveness probe makes an idle instance active, without a request fee."""
    probe = run_v2.Probe(http_get=run_v2.HTTPGetAction(path="/"), period_seconds=10, timeout_seconds=5)
    till.serve("probed", automatic(0, 1), liveness_probe=probe)
    assert http.get(till.emulator.get("probed").uri).is_success
    till.rests("probed")
    start = till.clock("advance", seconds=1).replace("+00:00", "Z")
    till.clock("advance", seconds=60)
    found = bill(till.emulator, "probed", **{"from": start})
    assert found.quantity("requests") == 0
    assert found.cpu_seconds["activeCpu"] >= 0.5, "six probes, each rounded up, of which one may be under way"


@check("BILL-020", source=f"{PRICING}: all sizes by vCPU-second and GiB-second")
def test_a_larger_size_costs_in_proportion(till: Till) -> None:
    """2 vCPU and 2 GiB cost $0.1908 for an hour with a request open."""
    service = till.serve("larger", automatic(1, 1), limits={"cpu": "2", "memory": "2Gi"})
    till.rests("larger")
    with till.standing() as spell, till.open_socket(service):
        spell.passes(HOUR)
        found = spell.bill("larger")
    assert found.usd == 0.1908


@check("BILL-021", source=f"{PRICING}: the sum of the resource usage, by what each instance is given")
def test_two_instances_cost_twice(till: Till) -> None:
    """Two instances that serve at the same time are billed for each of them."""
    service = till.serve("twice", manual(2))
    till.rests("twice", 2)
    with till.standing() as spell, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(till.open_socket(service))
        spell.passes(100)
        found = spell.bill("twice")
    assert sum(found.cpu_seconds.values()) == 200
