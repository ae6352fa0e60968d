"""Which sizes, times and probes does the Admin API take, and what does it fill in?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import Refusal, Services

_CPU = "run/docs/configuring/services/cpu"
_MEMORY = "run/docs/configuring/services/memory-limits"
_PROBE = "google.cloud.run.v2 Probe"
_HEALTH = "run/docs/configuring/healthchecks"
_LIMITS = "service.template.containers[0].resources.limits"
GEN1, GEN2 = "EXECUTION_ENVIRONMENT_GEN1", "EXECUTION_ENVIRONMENT_GEN2"


def sized(services: Services, cpu: str, memory: str, *, idle: bool = True, **template: Any) -> run_v2.Service:
    resources = {"limits": {"cpu": cpu, "memory": memory}, "cpu_idle": idle}
    within = {f"template__{name}": value for name, value in template.items()}
    return services.draft({"resources": resources}, **within)


def probed(services: Services, service_id: str, **probes: Any) -> Refusal:
    return services.refuses(service_id, services.draft(probes))


@check("RUN-221", source=f"{_CPU}, CPU and memory; {_MEMORY}, Required minimum CPUs")
@pytest.mark.parametrize(
    ("cpu", "memory"),
    [
        *(("1", "128Mi"), ("1", "4Gi"), ("2", "128Mi"), ("2", "8Gi"), ("4", "2Gi"), ("4", "16Gi")),
        *(("6", "4Gi"), ("6", "24Gi"), ("8", "4Gi"), ("8", "32Gi"), ("1000m", "1.5Gi"), ("2", "1G")),
    ],
)
def test_whole_cpus_take_the_memory_of_the_table(
    services: Services, service_id: str, cpu: str, memory: str
) -> None:
    """1, 2, 4, 6 and 8 CPUs go with the memory that the table gives them, its bounds included."""
    assert services.accepts(service_id, sized(services, cpu, memory))


@check("RUN-222", source=f"{_CPU}, CPU and memory; {_MEMORY}, Required minimum CPUs")
@pytest.mark.parametrize(
    ("cpu", "memory"),
    [
        *(("1", "64Mi"), ("1", "4097Mi"), ("2", "8193Mi"), ("4", "2047Mi"), ("4", "16385Mi")),
        *(("6", "4095Mi"), ("6", "24577Mi"), ("8", "4095Mi"), ("8", "33Gi")),
    ],
)
def test_memory_outside_the_table_is_refused(
    services: Services, service_id: str, cpu: str, memory: str
) -> None:
    """Less memory than a number of CPUs asks for, or more than it allows, is INVALID_ARGUMENT."""
    refusal = services.refuses(service_id, sized(services, cpu, memory))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.names(f"{_LIMITS}.memory")


@check("RUN-223", source=f"{_CPU}: any value above 1 must be an integer value, from 0.08, at most 8")
@pytest.mark.parametrize("cpu", ["0.07", "1.5", "3", "5", "7", "9", "79m", "0"])
def test_other_numbers_of_cpus_are_refused(services: Services, service_id: str, cpu: str) -> None:
    """Less than 0.08 CPU, fractions above 1 and numbers that are not 1, 2, 4, 6 or 8 are INVALID_ARGUMENT."""
    assert services.refuses(service_id, sized(services, cpu, "2Gi")).names(f"{_LIMITS}.cpu")


@check("RUN-224", source=f"{_CPU}: 0.5 CPU for more than 512MiB, 1 CPU for more than 1GiB")
def test_a_part_of_a_cpu_takes_little_memory(services: Services, service_id: str) -> None:
    """Below 0.5 CPU there is at most 512Mi, below 1 CPU at most 1Gi."""
    assert services.accepts(service_id, sized(services, "0.08", "512Mi"))
    assert services.accepts(service_id, sized(services, "500m", "1Gi"))
    for cpu, memory in (("0.499", "513Mi"), ("0.999", "1025Mi")):
        assert services.refuses(service_id, sized(services, cpu, memory)).names(f"{_LIMITS}.memory")


@check("RUN-225", source=f"{_CPU}: if you use less than 1 CPU, maximum concurrency must be set to 1")
def test_a_part_of_a_cpu_takes_one_request_at_a_time(services: Services, service_id: str) -> None:
    """Less than 1 CPU with a concurrency above 1 is refused in Cloud Run's words."""
    draft = sized(services, "0.5", "512Mi", max_instance_request_concurrency=2)
    assert (
        "Total cpu < 1 is not supported with concurrency > 1." in services.refuses(service_id, draft).message
    )


@check("RUN-226", source=f"{_CPU}: if you use less than 1 CPU, billing must be request-based")
def test_a_part_of_a_cpu_is_billed_by_request(services: Services, service_id: str) -> None:
    """Less than 1 CPU with the CPU always allocated is refused in Cloud Run's words."""
    refusal = services.refuses(service_id, sized(services, "0.5", "512Mi", idle=False))
    assert "Total cpu < 1 is not supported with cpu always allocated (unthrottled)." in refusal.message


@check("RUN-227", source=f"{_CPU}: if you use less than 1 CPU, you must use the first generation")
def test_a_part_of_a_cpu_is_of_the_first_generation(services: Services, service_id: str) -> None:
    """Less than 1 CPU is refused with the second generation and accepted with the first."""
    draft = sized(services, "0.5", "512Mi", execution_environment=GEN2)
    assert services.refuses(service_id, draft).names(f"{_LIMITS}.cpu")
    assert services.accepts(service_id, sized(services, "0.5", "512Mi", execution_environment=GEN1))


@check("RUN-228", source=f"{_MEMORY}, Minimum memory: 512 MiB for second generation")
def test_the_second_generation_needs_512_mib(services: Services, service_id: str) -> None:
    """Less than 512Mi is refused with the second generation in Cloud Run's words, and accepted with the first."""
    draft = sized(services, "1", "511Mi", execution_environment=GEN2)
    refusal = services.refuses(service_id, draft)
    assert refusal.names(f"{_LIMITS}.memory")
    assert "Total memory < 512 Mi is not supported with gen2 execution environment." in refusal.message
    assert services.accepts(service_id, sized(services, "1", "128Mi", execution_environment=GEN1))


@check(
    "RUN-229", source="public error reports: Total memory < 512 Mi is not supported with cpu always allocated"
)
def test_a_lasting_cpu_needs_512_mib(services: Services, service_id: str) -> None:
    """Less than 512Mi is refused where the CPU is always allocated."""
    refusal = services.refuses(service_id, sized(services, "1", "256Mi", idle=False))
    assert "Total memory < 512 Mi is not supported with cpu always allocated" in refusal.message


@check(
    "RUN-230", source="google.cloud.run.v2 ResourceRequirements.limits: only memory, cpu and nvidia.com/gpu"
)
def test_nothing_else_can_be_limited(services: Services, service_id: str) -> None:
    """A limit of something else than memory, cpu and nvidia.com/gpu is INVALID_ARGUMENT."""
    resources = {"limits": {"ephemeral-storage": "1Gi"}, "cpu_idle": True}
    refusal = services.refuses(service_id, services.draft({"resources": resources}))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.names(f"{_LIMITS}.ephemeral-storage")


@check("RUN-231", source=f"{_MEMORY}: a fixed or floating point number followed by a unit")
@pytest.mark.parametrize("memory", ["512 MB", "512mi", "-1Gi", "much", ""])
def test_a_quantity_that_is_none_is_refused(services: Services, service_id: str, memory: str) -> None:
    """Memory that is no Kubernetes quantity is INVALID_ARGUMENT and named."""
    assert services.refuses(service_id, sized(services, "1", memory)).names(f"{_LIMITS}.memory")


@check(
    "RUN-232", source="google.cloud.run.v2 ResourceRequirements.cpu_idle: true by default, explicit if set"
)
def test_cpu_idle_is_explicit_as_soon_as_resources_are_given(services: Services, service_id: str) -> None:
    """Without resources the CPU is idle between requests; with resources that do not say so it is not."""
    silent = services.create(service_id)
    assert silent.template.containers[0].resources.cpu_idle
    limits = [{"image": services.image, "resources": {"limits": {"cpu": "1"}}}]
    spoken = services.update(service_id, "template.containers", template={"containers": limits})
    assert not spoken.template.containers[0].resources.cpu_idle


@check("RUN-233", source=f"{_CPU}: by default 1 CPU; {_MEMORY}: by default 512 MiB")
def test_an_instance_has_one_cpu_and_512_mib_by_default(services: Services, service_id: str) -> None:
    """The limits that are not given are read back as 1 CPU and 512Mi."""
    limits = services.create(service_id).template.containers[0].resources.limits
    assert (limits["cpu"], limits["memory"]) == ("1000m", "512Mi")


@check("RUN-234", source="google.cloud.run.v2 RevisionTemplate.max_instance_request_concurrency")
def test_concurrency_defaults_to_80_or_1(services: Services, service_id: str) -> None:
    """Concurrency defaults to 80 with a whole CPU and to 1 with less."""
    assert services.create(service_id).template.max_instance_request_concurrency == 80
    small = sized(services, "0.5", "512Mi")
    assert services.begin_create(f"{service_id}-s", small, validate_only=True)
    resources = {"limits": {"cpu": "500m"}, "cpu_idle": True}
    template = {"containers": [{"image": services.image, "resources": resources}]}
    changed = services.update(
        service_id, "template.containers", "template.max_instance_request_concurrency", template=template
    )
    assert changed.template.max_instance_request_concurrency == 1


@check("RUN-235", source="run/docs/configuring/concurrency: up to a maximum of 1000")
@pytest.mark.parametrize("concurrency", [-1, 1001])
def test_concurrency_is_at_most_a_thousand(services: Services, service_id: str, concurrency: int) -> None:
    """A concurrency of 1000 is accepted, more or less than 1 is INVALID_ARGUMENT."""
    assert services.accepts(service_id, services.draft(template__max_instance_request_concurrency=1000))
    draft = services.draft(template__max_instance_request_concurrency=concurrency)
    assert services.refuses(service_id, draft).names("service.template.max_instance_request_concurrency")


@check("RUN-236", source="run/docs/configuring/request-timeout: default 5 minutes, maximum 60 minutes")
def test_a_request_has_five_minutes_and_at_most_an_hour(services: Services, service_id: str) -> None:
    """The timeout defaults to 300 s; 3600 s is accepted, one second more is refused in Cloud Run's words."""
    assert services.create(service_id).template.timeout == timedelta(seconds=300)
    assert services.accepts(f"{service_id}-a", services.draft(template__timeout="3600s"))
    refusal = services.refuses(f"{service_id}-a", services.draft(template__timeout="3601s"))
    assert refusal.names("service.template.timeout")
    assert "maximum allowed time is one hour." in refusal.message


@check("RUN-237", source="google.cloud.run.v2 Service.template: Required; google-cloud-java issue 11101")
def test_a_service_has_a_template(services: Services, service_id: str) -> None:
    """A create without a template is INVALID_ARGUMENT: required field not present."""
    refusal = services.refuses(service_id, run_v2.Service())
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.names("service.template")
    assert (
        "Violation in CreateServiceRequest.service.template: required field not present." in refusal.message
    )


@check("RUN-238", source="google.cloud.run.v2 Container.image: Required")
@pytest.mark.parametrize("image", ["", "has a space", "@sha256:"])
def test_a_container_names_an_image(services: Services, service_id: str, image: str) -> None:
    """A container without an image path is INVALID_ARGUMENT."""
    refusal = services.refuses(service_id, services.draft({"image": image}))
    assert refusal.names("service.template.containers[0].image")


@check(
    "RUN-239",
    source="github.com/GoogleCloudPlatform/magic-modules pull 10173: ports should contain 0 or 1 port",
)
def test_a_container_has_one_port(services: Services, service_id: str) -> None:
    """Two ports are refused in Cloud Run's words."""
    ports = [{"container_port": 8080}, {"container_port": 8081}]
    refusal = services.refuses(service_id, services.draft({"ports": ports}))
    assert refusal.names("service.template.containers[0].ports")
    assert "ports should contain 0 or 1 port." in refusal.message


@check("RUN-240", source="google.cloud.run.v2 ContainerPort: http1 or h2c, 0 < container_port < 65536")
@pytest.mark.parametrize(
    ("port", "field"), [({"container_port": 65536}, "container_port"), ({"name": "spdy"}, "name")]
)
def test_a_port_is_a_port(services: Services, service_id: str, port: dict[str, Any], field: str) -> None:
    """A port beyond 65535 and a protocol that is neither http1 nor h2c are INVALID_ARGUMENT."""
    refusal = services.refuses(service_id, services.draft({"ports": [port]}))
    assert refusal.names(f"service.template.containers[0].ports[0].{field}")


@check("RUN-241", source=f"{_HEALTH}, The default TCP startup probe")
def test_the_default_probe_watches_the_port_for_240_seconds(services: Services, service_id: str) -> None:
    """Without a startup probe the container's port is probed by TCP: 240 s, every 240 s, one failure."""
    probe = services.create(service_id).template.containers[0].startup_probe
    assert probe.tcp_socket.port == 8080
    assert (probe.timeout_seconds, probe.period_seconds, probe.failure_threshold) == (240, 240, 1)


@check("RUN-242", source=f"{_PROBE}: defaults of timeout_seconds, period_seconds and failure_threshold")
def test_a_probe_has_defaults(services: Services, service_id: str) -> None:
    """A probe that gives no numbers is asked every 10 s for 1 s, and fails at the third failure."""
    probes = {"startup_probe": {"tcp_socket": {}}, "liveness_probe": {"http_get": {"path": "/up"}}}
    container = services.create(service_id, services.draft(probes)).template.containers[0]
    for probe in (container.startup_probe, container.liveness_probe):
        assert (probe.period_seconds, probe.timeout_seconds, probe.failure_threshold) == (10, 1, 3)


@check("RUN-243", source=f"{_PROBE}: at most 240 s for a startup probe, 3600 s for a liveness probe")
@pytest.mark.parametrize(("kind", "longest"), [("startup_probe", 240), ("liveness_probe", 3600)])
def test_a_probe_is_bounded(services: Services, service_id: str, kind: str, longest: int) -> None:
    """Period and initial delay of a startup probe are at most 240 s, of a liveness probe 3600 s."""
    at = f"service.template.containers[0].{kind}"
    most = {
        "http_get": {},
        "period_seconds": longest,
        "initial_delay_seconds": longest,
        "failure_threshold": 1,
    }
    assert services.accepts(service_id, services.draft({kind: most}))
    for field in ("period_seconds", "initial_delay_seconds"):
        refusal = probed(services, service_id, **{kind: {**most, field: longest + 1}})
        assert refusal.names(f"{at}.{field}")


@check("RUN-244", source=f"{_PROBE}.timeout_seconds; github.com/datawranglerai/self-host-n8n-on-gcr issue 23")
def test_a_probes_timeout_is_within_its_period(services: Services, service_id: str) -> None:
    """A timeout above the period is refused in Cloud Run's words; one that equals it is the default probe's own."""
    probe = {"tcp_socket": {}, "timeout_seconds": 11, "period_seconds": 10}
    refusal = probed(services, service_id, startup_probe=probe)
    assert refusal.names("service.template.containers[0].startup_probe.timeout_seconds")
    assert "startup_probe.timeout_seconds: must be less than period_seconds" in refusal.message


@check("RUN-245", source=f"{_PROBE}: exactly one of httpGet, tcpSocket, or grpc must be specified")
@pytest.mark.parametrize("kind", ["startup_probe", "liveness_probe"])
def test_a_probe_asks_in_one_way(services: Services, service_id: str, kind: str) -> None:
    """A probe that says nothing of how it asks is INVALID_ARGUMENT."""
    refusal = probed(services, service_id, **{kind: {"period_seconds": 5}})
    assert refusal.names(f"service.template.containers[0].{kind}")


@check(
    "RUN-246",
    source=f"{_HEALTH}: HTTP, TCP, and gRPC startup probes, along with HTTP and gRPC liveness probes",
)
def test_a_liveness_probe_is_no_connection(services: Services, service_id: str) -> None:
    """A liveness probe by TCP is INVALID_ARGUMENT; by HTTP and gRPC it is accepted."""
    refusal = probed(services, service_id, liveness_probe={"tcp_socket": {}})
    assert refusal.names("service.template.containers[0].liveness_probe.tcp_socket")
    for handler in ({"http_get": {}}, {"grpc": {"service": "s"}}):
        assert services.accepts(service_id, services.draft({"liveness_probe": handler}))


@check("RUN-247", source=f"{_HEALTH}: failureThreshold * periodSeconds cannot exceed 240 seconds")
def test_a_container_has_240_seconds_to_start(services: Services, service_id: str) -> None:
    """A startup probe whose periods add up to more than 240 s is INVALID_ARGUMENT."""
    probe = {"tcp_socket": {}, "period_seconds": 60, "failure_threshold": 4}
    assert services.accepts(service_id, services.draft({"startup_probe": probe}))
    refusal = probed(services, service_id, startup_probe={**probe, "failure_threshold": 5})
    assert refusal.names("service.template.containers[0].startup_probe.failure_threshold")


@check("RUN-248", source="google.cloud.run.v2 VolumeMount: must match a Volume, path without a colon")
@pytest.mark.parametrize(
    ("mount", "field"),
    [
        ({"name": "nowhere", "mount_path": "/x"}, "name"),
        ({"name": "memory", "mount_path": "x"}, "mount_path"),
        ({"name": "memory", "mount_path": "/a:b"}, "mount_path"),
    ],
)
def test_a_mount_is_of_a_volume(
    services: Services, service_id: str, mount: dict[str, str], field: str
) -> None:
    """A mount names a volume of the template and an absolute path without a colon."""
    volumes = [{"name": "memory", "empty_dir": {}}]
    refusal = services.refuses(
        service_id, services.draft({"volume_mounts": [mount]}, template__volumes=volumes)
    )
    assert refusal.names(f"service.template.containers[0].volume_mounts[0].{field}")


@check(
    "RUN-249",
    source="aip.dev/193: BadRequest lists all violations; that Cloud Run does is believed",
    assumed=True,
)
def test_every_bad_field_is_told_at_once(services: Services, service_id: str) -> None:
    """A request with several bad fields is refused once, and names all of them."""
    env, probe = [{"name": "PORT", "value": "1"}], {"tcp_socket": {}, "timeout_seconds": 20}
    draft = services.draft(
        {"env": env, "startup_probe": probe}, labels={"Bad": "x"}, template__timeout="7200s"
    )
    assert services.refuses(service_id, draft).fields == [
        "service.labels",
        "service.template.timeout",
        "service.template.containers[0].env",
        "service.template.containers[0].startup_probe.timeout_seconds",
    ]
