"""How many instances there are and what each may do: started, kept, frozen, replaced and ended as Cloud Run does it."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.data_plane import MINUTE, DataPlane, data_plane
from tests.emulators.cloud_run.driver import alive, automatic, host_pid, http, manual

pytestmark = pytest.mark.emulator_only

AUTOSCALING = "cloud.google.com/run/docs/about-instance-autoscaling"
MINIMUM = "cloud.google.com/run/docs/configuring/min-instances"
MAXIMUM = "cloud.google.com/run/docs/configuring/max-instances"
MANUAL = "cloud.google.com/run/docs/configuring/services/manual-scaling"
CPU = "cloud.google.com/run/docs/configuring/billing-settings"
CONTRACT = "cloud.google.com/run/docs/container-contract"
ROLLOUTS = "cloud.google.com/run/docs/rollouts-rollbacks-traffic-migration"
HEALTH = "cloud.google.com/run/docs/configuring/healthchecks"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    """One emulator for this module."""
    with data_plane(tmp_path_factory.mktemp("instances")) as plane:
        yield plane


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@check("RUN-421", source=AUTOSCALING)
def test_concurrency_decides_how_many_instances(plane: DataPlane) -> None:
    """More requests at once than an instance may have start further instances, and each has at most its concurrency."""
    uri = plane.serve("grows", automatic(0, 5), max_instance_request_concurrency=2)
    asking = plane.at_work("grows", uri, 5)
    having = [instance["requestsInFlight"] for instance in plane.emulator.instances("grows")]
    assert sorted(having, reverse=True) == [2, 2, 1]
    plane.pass_time(5 * MINUTE)
    assert {one.result().status_code for one in asking} == {504}


@check("RUN-422", source=MAXIMUM)
def test_the_maximum_holds(plane: DataPlane) -> None:
    """There are no more instances than the maximum; what is above it waits."""
    uri = plane.serve("bounded", automatic(0, 2), max_instance_request_concurrency=1, timeout="30s")
    asking = plane.at_work("bounded", uri, 2)
    third = plane.waiting("bounded", uri)
    plane.pass_time(20)
    assert not third.done()
    assert len(plane.emulator.instances("bounded")) == 2
    plane.pass_time(10)
    assert third.result().status_code == 200
    assert {one.result().status_code for one in asking} == {504}


@check("RUN-423", source=f"{MINIMUM}; {AUTOSCALING}")
def test_the_minimum_is_kept_warm(plane: DataPlane) -> None:
    """Minimum instances are started without a request and are not ended for idleness."""
    plane.serve("warm", automatic(2, 3))
    before = {
        one["id"] for one in plane.until(lambda: len(plane.serving("warm")) == 2 and plane.serving("warm"))
    }
    plane.pass_time(60 * MINUTE)
    assert {instance["id"] for instance in plane.serving("warm")} == before


@check("RUN-424", source=AUTOSCALING)
def test_idle_instances_end_within_a_quarter_of_an_hour(plane: DataPlane) -> None:
    """An instance that is not a minimum instance is kept idle for at most 15 minutes after its last request."""
    uri = plane.serve("idle", automatic(0, 1))
    http.get(uri)
    plane.pass_time(15 * MINUTE + 1)
    assert plane.emulator.instances("idle") == []


@check(
    "RUN-425",
    source=f"{AUTOSCALING}: it may be kept for so long, to serve the next request without a start",
    assumed=True,
)
def test_idle_instances_are_kept_for_a_while(plane: DataPlane) -> None:
    """An idle instance is still there after 14 minutes and serves the next request."""
    uri = plane.serve("lingers", automatic(0, 1))
    first = http.get(uri).json()["pid"]
    plane.pass_time(14 * MINUTE)
    assert http.get(uri).json()["pid"] == first


@check("RUN-426", source=f"{MINIMUM}: goes into effect without a new revision")
def test_a_minimum_of_the_service_acts_at_once(plane: DataPlane) -> None:
    """A service-level minimum starts an instance without a new revision."""
    plane.serve("raised", automatic(0, 1))
    before = plane.emulator.get("raised").latest_created_revision
    plane.emulator.scale("raised", automatic(1, 1))
    plane.until(lambda: len(plane.serving("raised")) == 1)
    assert plane.emulator.get("raised").latest_created_revision == before


@check("RUN-427", source=MANUAL)
def test_manual_scaling_keeps_exactly_so_many(plane: DataPlane) -> None:
    """In manual mode a service has exactly its number of instances, whatever its traffic and idleness."""
    uri = plane.serve("by-hand", manual(2), max_instance_request_concurrency=1)
    plane.until(lambda: len(plane.serving("by-hand")) == 2)
    asking = plane.at_work("by-hand", uri, 2)
    third = plane.waiting("by-hand", uri)
    plane.pass_time(30)
    assert len(plane.emulator.instances("by-hand")) == 2
    plane.pass_time(60 * MINUTE)
    assert third.result().status_code == 429
    assert {one.result().status_code for one in asking} == {504}
    assert len(plane.serving("by-hand")) == 2


@check("RUN-428", source=f"{MANUAL}: changes need no redeployment")
def test_a_manual_count_acts_at_once(plane: DataPlane) -> None:
    """A changed manual count starts and ends instances of the same revision."""
    plane.serve("counted", manual(1))
    [first] = plane.until(lambda: plane.serving("counted"))
    plane.emulator.scale("counted", manual(3))
    plane.until(lambda: len(plane.serving("counted")) == 3)
    assert {one["revision"] for one in plane.serving("counted")} == {first["revision"]}
    plane.emulator.scale("counted", manual(1))
    plane.until(lambda: len(plane.emulator.instances("counted")) == 1)


@check("RUN-429", source=f"{CONTRACT}, instance shutdown")
def test_sigterm_and_then_sigkill(plane: DataPlane) -> None:
    """An instance is sent SIGTERM before it ends, also when it is idle; one that goes on nevertheless is killed."""
    plane.serve("obeys", automatic(1, 1), env={"SAVE_SECONDS": "0.2"})
    plane.serve("goes-on", automatic(1, 1), env={"IGNORE_TERM": "1"})
    for service_id in ("obeys", "goes-on"):
        plane.until(lambda name=service_id: plane.serving(name))
        plane.emulator.scale(service_id, manual(0))
    assert plane.until(lambda: plane.exits("obeys"))[0]["code"] != 137
    assert "saved" in plane.emulator.log("obeys")
    assert plane.until(lambda: plane.exits("goes-on"))[0]["code"] == 137


def spinning(plane: DataPlane, service_id: str, uri: str) -> int:
    """The process, as this machine numbers it, that the service's only instance has now working in the background."""
    child = http.get(f"{uri}/spin").json()["child"]
    [instance] = plane.emulator.instances(service_id)
    return host_pid(instance, child)


@check("RUN-430", source=CPU)
def test_cpu_only_while_a_request_is_open(plane: DataPlane) -> None:
    """With request-based billing an instance has no CPU while no request is open: its background work stands still."""
    uri = plane.serve("cpu-idle", automatic(1, 1), resources=run_v2.ResourceRequirements(cpu_idle=True))
    child = spinning(plane, "cpu-idle", uri)
    plane.until(lambda: plane.emulator.instances("cpu-idle", "FROZEN"))
    before = cpu_seconds(child)
    plane.pass_time(10 * MINUTE)
    assert cpu_seconds(child) == before
    plane.until(lambda: http.get(f"{uri}/wait?seconds=0.2").is_success and cpu_seconds(child) > before)
    plane.emulator.scale("cpu-idle", manual(0))


@check("RUN-431", source=CPU)
def test_cpu_always(plane: DataPlane) -> None:
    """With instance-based billing an instance has its CPU for as long as it lives."""
    uri = plane.serve("cpu-always", automatic(1, 1), resources=run_v2.ResourceRequirements(cpu_idle=False))
    child = spinning(plane, "cpu-always", uri)
    before = cpu_seconds(child)
    plane.until(lambda: plane.in_flight("cpu-always") == 0 and cpu_seconds(child) - before > 0.1)
    assert plane.emulator.instances("cpu-always", "FROZEN") == []
    plane.emulator.scale("cpu-always", manual(0))


@check("RUN-432", source=f"{ROLLOUTS}")
def test_a_new_revision_serves_once_it_is_ready(plane: DataPlane) -> None:
    """The old revision serves until an instance of the new one is ready, so that for a moment both have one."""
    uri = plane.serve("rolls", automatic(1, 1))
    first = http.get(uri).json()["environment"]["K_REVISION"]
    operation = plane.change("rolls", START_SECONDS="1")
    plane.until(lambda: len(plane.emulator.instances("rolls")) == 2)
    assert http.get(uri).json()["environment"]["K_REVISION"] == first
    operation.result()
    assert http.get(uri).json()["environment"]["K_REVISION"] != first
    plane.until(lambda: len(plane.emulator.instances("rolls")) == 1)


@check("RUN-433", source=f"{ROLLOUTS}: requests to the old revision are finished there", assumed=True)
def test_requests_of_the_old_revision_are_finished(plane: DataPlane) -> None:
    """A request that the old revision has is finished there while new ones go to the new revision."""
    uri = plane.serve("finishes", automatic(1, 1), timeout="600s")
    first = http.get(uri).json()["environment"]["K_REVISION"]
    old = plane.asking(f"{uri}/wait?seconds=3")
    plane.until(lambda: plane.in_flight("finishes") == 1)
    plane.changed("finishes", NEW="1")
    assert http.get(uri).json()["environment"]["K_REVISION"] != first
    assert old.result().status_code == 200


@check("RUN-434", source=f"{ROLLOUTS}")
def test_a_revision_that_does_not_start_takes_nothing_over(plane: DataPlane) -> None:
    """When the new revision cannot start the operation fails and the old revision goes on serving."""
    uri = plane.serve("steady", automatic(1, 1))
    first = http.get(uri).json()["environment"]["K_REVISION"]
    with pytest.raises(exceptions.GoogleAPICallError):
        plane.changed("steady", FAIL="1")
    assert http.get(uri).json()["environment"]["K_REVISION"] == first
    reason = plane.emulator.get("steady").terminal_condition.revision_reason
    assert reason == run_v2.Condition.RevisionReason.HEALTH_CHECK_CONTAINER_ERROR


@check("RUN-435", source=f"{HEALTH}: limits instance restarts to prevent uncontrolled crash loops")
def test_a_crash_loop_is_slowed_down(plane: DataPlane) -> None:
    """An instance that keeps ending is replaced less and less often."""
    plane.serve("loops", automatic(1, 1), env={"FAIL": "1"})
    plane.until(lambda: len(plane.exits("loops")) >= 4)
    before = len(plane.exits("loops"))
    # In 30 s without a limit there would be a hundred.
    plane.pass_time(30)
    assert len(plane.exits("loops")) - before <= 3
    plane.emulator.scale("loops", manual(0))


@check("RUN-436", source=f"{CONTRACT}, file system: files do not outlive the instance")
def test_files_go_with_their_instance(plane: DataPlane) -> None:
    """What a container writes is gone with its instance."""
    uri = plane.serve("forgets", automatic(0, 1), env={"WORKSPACE": "."})
    assert http.get(f"{uri}/fill?mib=1").json()["error"] is None
    assert "big" in http.get(f"{uri}/files").json()
    [first] = plane.emulator.instances("forgets")
    plane.pass_time(15 * MINUTE + 1)
    assert not alive(first["pid"])
    assert "big" not in http.get(f"{uri}/files").json()
