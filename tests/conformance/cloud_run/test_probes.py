"""Startup and liveness probes, as Cloud Run's page on health checks describes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.data_plane import DataPlane, data_plane
from tests.emulators.cloud_run.driver import a_container, a_service, automatic, http, manual

pytestmark = pytest.mark.emulator_only

HEALTH = "cloud.google.com/run/docs/configuring/healthchecks"
CPU = "cloud.google.com/run/docs/configuring/healthchecks, billing and CPU allocation"
PROTO = "google-cloud-run 0.16.2, types/k8s_min.py and vendor_settings.py, Probe"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    """One emulator for this module."""
    with data_plane(tmp_path_factory.mktemp("probes")) as plane:
        yield plane


def http_probe(path: str = "/health", **fields: Any) -> run_v2.Probe:
    header = run_v2.HTTPHeader(name="X-Probe", value="mine")
    action = run_v2.HTTPGetAction(path=path, http_headers=[header])
    return run_v2.Probe(**({"http_get": action, "period_seconds": 10, "failure_threshold": 3} | fields))


def deploys(plane: DataPlane, service_id: str, **container: Any) -> Any:
    """The operation of a create whose instance is checked."""
    service = plane.emulator.with_image(a_service(containers=[a_container(**container)]))
    service.scaling = automatic(1, 1)
    parent = plane.emulator.name(service_id).partition("/services/")[0]
    return plane.emulator.client.create_service(parent=parent, service=service, service_id=service_id)


@check("RUN-441", source=HEALTH)
def test_the_default_startup_probe(plane: DataPlane) -> None:
    """Without a startup probe a service has a TCP one of its port: timeout and period 240 s, threshold 1."""
    plane.serve("default", manual(0))
    probe = plane.emulator.get("default").template.containers[0].startup_probe
    assert probe.tcp_socket.port == 8080
    assert (probe.timeout_seconds, probe.period_seconds, probe.failure_threshold) == (240, 240, 1)


@check("RUN-442", source=HEALTH)
def test_an_http_startup_probe_holds_requests_back(plane: DataPlane) -> None:
    """Requests reach an instance only once its HTTP startup probe was answered with 2xx or 3xx."""
    uri = plane.serve("held", automatic(0, 1), startup_probe=http_probe(), env={"ILL_FIRST": "1"})
    answer = plane.waiting("held", f"{uri}/probes")
    plane.pass_time(5)
    assert not answer.done()
    plane.pass_time(10)
    assert len(answer.result().json()) == 2


@check("RUN-443", source=PROTO)
def test_a_probe_brings_its_headers(plane: DataPlane) -> None:
    """An HTTP probe is a GET of its path with its own headers."""
    uri = plane.serve("headers", automatic(0, 1), startup_probe=http_probe())
    [question] = http.get(f"{uri}/probes").json()
    assert question["x-probe"] == "mine"


@check("RUN-444", source=f"{HEALTH}; condition.py, HEALTH_CHECK_CONTAINER_ERROR")
def test_a_failed_startup_probe_fails_the_deployment(plane: DataPlane) -> None:
    """When the startup probe has failed as often as its threshold says the container is shut down, and so is the hope."""
    operation = deploys(plane, "unfit", startup_probe=http_probe(), env={"ILL_FIRST": "99"})
    plane.until(lambda: plane.emulator.instances("unfit", "STARTING"))
    plane.pass_time(30)
    with pytest.raises(exceptions.GoogleAPICallError):
        operation.result(timeout=60)
    condition = plane.emulator.get("unfit").terminal_condition
    assert condition.revision_reason == run_v2.Condition.RevisionReason.HEALTH_CHECK_CONTAINER_ERROR
    plane.emulator.scale("unfit", manual(0))


@check("RUN-445", source=f"{HEALTH}: a maximum of 240 seconds")
def test_a_start_takes_four_minutes_at_most(plane: DataPlane) -> None:
    """A container that does not listen on its port within 240 s is shut down."""
    operation = deploys(plane, "mute", env={"MUTE": "1"})
    plane.until(lambda: plane.emulator.instances("mute", "STARTING"))
    plane.pass_time(230)
    assert plane.exits("mute") == []
    plane.pass_time(11)
    with pytest.raises(exceptions.GoogleAPICallError):
        operation.result(timeout=60)
    plane.emulator.scale("mute", manual(0))


@check("RUN-446", source=f"{HEALTH}; grpc/grpc doc/health-checking.md")
def test_a_grpc_startup_probe(plane: DataPlane) -> None:
    """A gRPC startup probe asks grpc.health.v1 for its service and succeeds when that is SERVING."""
    for service_id, asked in (("grpc-well", "db"), ("grpc-ill", "other")):
        probe = run_v2.Probe(grpc=run_v2.GRPCAction(service=asked), failure_threshold=1)
        plane.serve(service_id, automatic(1, 1), startup_probe=probe, env={"GRPC_HEALTH": "1"})
    plane.until(lambda: plane.serving("grpc-well"))
    plane.until(lambda: plane.exits("grpc-ill"))
    assert plane.serving("grpc-ill") == []
    plane.emulator.scale("grpc-ill", manual(0))


@check("RUN-447", source=HEALTH)
def test_liveness_waits_for_the_startup(plane: DataPlane) -> None:
    """While the startup probe has not succeeded the liveness probe is not asked."""
    probes = {"startup_probe": http_probe("/other", period_seconds=80), "liveness_probe": http_probe()}
    plane.serve("patient", automatic(1, 1), env={"MUTE": "1"}, **probes)
    plane.until(lambda: plane.emulator.instances("patient", "STARTING"))
    plane.pass_time(60)
    assert plane.emulator.instances("patient", "STARTING")
    assert plane.exits("patient") == []
    plane.emulator.scale("patient", manual(0))


@check("RUN-448", source=HEALTH)
def test_a_failed_liveness_probe_kills(plane: DataPlane) -> None:
    """When the liveness probe has failed as often in a row as its threshold says, the container is sent SIGKILL, its
    requests are answered 503, and a new instance is started.
    """
    uri = plane.serve("deadlock", automatic(1, 1), liveness_probe=http_probe(), timeout="3600s")
    [first] = plane.until(lambda: plane.serving("deadlock"))
    http.get(f"{uri}/sicken")
    [asking] = plane.at_work("deadlock", uri)
    plane.pass_time(31)
    assert asking.result().status_code == 503
    assert plane.until(lambda: plane.exits("deadlock"))[0]["code"] == 137
    plane.until(lambda: [one for one in plane.serving("deadlock") if one["id"] != first["id"]])


@check("RUN-449", source=f"{PROTO}: consecutive failures")
def test_liveness_failures_must_be_consecutive(plane: DataPlane) -> None:
    """Failures of the liveness probe below its threshold are forgotten with its next success."""
    uri = plane.serve("recovers", automatic(1, 1), liveness_probe=http_probe(), env={"ILL_FIRST": "2"})
    plane.until(lambda: plane.serving("recovers"))
    plane.pass_time(300)
    assert plane.exits("recovers") == []
    assert len(http.get(f"{uri}/probes").json()) >= 30


@check("RUN-450", source=CPU)
def test_a_probe_has_its_cpu(plane: DataPlane) -> None:
    """CPU is allocated for every probe, also while no request is open."""
    uri = plane.serve("thawed", automatic(1, 1), liveness_probe=http_probe())
    plane.until(lambda: plane.emulator.instances("thawed", "FROZEN"))
    plane.pass_time(100)
    plane.until(lambda: plane.emulator.instances("thawed", "FROZEN"))
    assert len(http.get(f"{uri}/probes").json()) >= 10


@check("RUN-451", source=PROTO)
def test_the_initial_delay_of_liveness(plane: DataPlane) -> None:
    """The liveness probe is first asked after its initial delay."""
    uri = plane.serve("delayed", automatic(1, 1), liveness_probe=http_probe(initial_delay_seconds=600))
    plane.until(lambda: plane.serving("delayed"))
    plane.pass_time(500)
    assert http.get(f"{uri}/probes").json() == []
    plane.pass_time(101)
    assert http.get(f"{uri}/probes").json() != []


@check("RUN-452", source=f"{HEALTH}: repeated probes keep no instance", assumed=True)
def test_probes_are_no_traffic(plane: DataPlane) -> None:
    """Liveness probes are no requests: an instance that is asked nothing else is idle."""
    uri = plane.serve("unused", automatic(0, 1), liveness_probe=http_probe(period_seconds=60))
    http.get(uri)
    plane.pass_time(15 * 60 + 5)
    assert plane.emulator.instances("unused") == []
