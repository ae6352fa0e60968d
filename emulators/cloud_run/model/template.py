"""Which templates are legal, and what do they mean when a field is left out?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.errors import invalid, unimplemented
from emulators.cloud_run.model.messages import ContainerMessage, TemplateMessage
from emulators.cloud_run.model.metadata import check_annotations, check_labels
from emulators.cloud_run.model.quantities import GIB, MIB, cpu_millis, memory_bytes

MAX_TIMEOUT = timedelta(hours=1)
MAX_CONCURRENCY = 1000
MAX_ENV = 1000
MAX_ENV_VALUE = 32768
MAX_STARTUP_SECONDS = 240
RESERVED_ENV = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
_GEN2 = int(run.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN2)
_LEAST_MEMORY = {4000: 2 * GIB, 6000: 4 * GIB, 8000: 4 * GIB}
# The most memory for so many thousandths of a CPU or fewer.
_MOST_MEMORY = (
    (499, 512 * MIB),
    (999, 1 * GIB),
    (1000, 4 * GIB),
    (2000, 8 * GIB),
    (4000, 16 * GIB),
    (6000, 24 * GIB),
    (8000, 32 * GIB),
)


def fill_defaults(template: TemplateMessage) -> None:
    """Write the server's defaults into the template; doing it twice changes nothing."""
    if not template.HasField("timeout"):
        template.timeout.FromTimedelta(timedelta(minutes=5))
    for container in template.containers:
        _fill_container(container)
    if not template.max_instance_request_concurrency:
        whole = all(
            cpu_millis(c.resources.limits["cpu"], "service.template.containers.resources") >= 1000
            for c in template.containers
        )
        template.max_instance_request_concurrency = 80 if whole else 1


def _fill_container(container: ContainerMessage) -> None:
    if not container.HasField("resources"):
        container.resources.cpu_idle = True
    limits = container.resources.limits
    for name, default in (("cpu", "1000m"), ("memory", "512Mi")):
        if name not in limits:
            limits[name] = default
    if not container.ports:
        container.ports.add(name="http1", container_port=8080)
    if not container.HasField("startup_probe"):
        container.startup_probe.tcp_socket.port = container.ports[0].container_port
        container.startup_probe.period_seconds = MAX_STARTUP_SECONDS
        container.startup_probe.failure_threshold = 1
    probe = container.startup_probe
    probe.period_seconds = probe.period_seconds or 10
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.failure_threshold = probe.failure_threshold or 3


def check_template(template: TemplateMessage, *, require_service_account: bool) -> None:
    """Refuse what Cloud Run refuses (400) and what this emulator cannot run (501); defaults are filled in."""
    check_labels(template.labels, "service.template.labels")
    check_annotations(template.annotations, "service.template.annotations")
    if require_service_account and not template.service_account:
        raise invalid(
            "service.template.service_account",
            "The template names no service_account, so it would run as the project's default account; name one.",
        )
    if not timedelta(0) < template.timeout.ToTimedelta() <= MAX_TIMEOUT:
        raise invalid("service.template.timeout", "timeout must be above 0 s and at most 3600 s.")
    _check_containers(template)
    _check_generation(template)
    _check_concurrency(template)
    _check_volumes(template)
    _check_range(template.scaling)


def _check_range(scaling: Any) -> None:
    if min(scaling.min_instance_count, scaling.max_instance_count) < 0:
        raise invalid("service.template.scaling", "Instance counts must not be negative.")
    if 0 < scaling.max_instance_count < scaling.min_instance_count:
        raise invalid("service.template.scaling", "max_instance_count must not be below min_instance_count.")


def _check_containers(template: TemplateMessage) -> None:
    if not template.containers:
        raise invalid("service.template.containers", "A template must have a container.")
    if len(template.containers) > 1:
        raise unimplemented("service.template.containers", "The emulator runs one container per instance.")
    container = template.containers[0]
    if not container.image:
        raise invalid("service.template.containers[0].image", "A container must name an image.")
    if len(container.ports) != 1:
        raise invalid("service.template.containers[0].ports", "Exactly one port must be given.")
    _check_env(container)
    _check_resources(container)
    _check_probe(container)


def _check_env(container: ContainerMessage) -> None:
    field = "service.template.containers[0].env"
    names = [variable.name for variable in container.env]
    if len(names) > MAX_ENV:
        raise invalid(field, f"{len(names)} variables are more than the {MAX_ENV} allowed.")
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise invalid(field, f"Given more than once: {', '.join(sorted(duplicates))}.")
    if reserved := RESERVED_ENV & set(names):
        raise invalid(
            field, f"The following reserved env names were provided: {', '.join(sorted(reserved))}."
        )
    for variable in container.env:
        if not variable.name or "=" in variable.name:
            raise invalid(field, f"'{variable.name}' is not a name of a variable.")
        if variable.HasField("value_source"):
            raise unimplemented(field, "Variables from Secret Manager are not emulated.")
        if len(variable.value.encode()) > MAX_ENV_VALUE:
            raise invalid(field, f"The value of {variable.name} is longer than {MAX_ENV_VALUE} bytes.")


def _check_resources(container: ContainerMessage) -> None:
    field = "service.template.containers[0].resources"
    cpu = cpu_millis(container.resources.limits["cpu"], field)
    memory = memory_bytes(container.resources.limits["memory"], field)
    if not 80 <= cpu <= 1000 and cpu not in (2000, 4000, 6000, 8000):
        raise invalid(field, "cpu must be 1, 2, 4, 6 or 8, or between 0.08 and 1.")
    least = _LEAST_MEMORY.get(cpu, 128 * MIB)
    most = next(limit for cpus, limit in _MOST_MEMORY if cpu <= cpus)
    if not least <= memory <= most:
        raise invalid(
            field, f"With {cpu / 1000:g} CPU, memory must be between {least // MIB}Mi and {most // MIB}Mi."
        )
    if cpu < 1000 and not container.resources.cpu_idle:
        raise invalid(field, "Less than 1 CPU is only allowed with cpu_idle.")


def _check_generation(template: TemplateMessage) -> None:
    limits = template.containers[0].resources.limits
    small = memory_bytes(limits["memory"], "memory") < 512 * MIB or cpu_millis(limits["cpu"], "cpu") < 1000
    if small and template.execution_environment == _GEN2:
        raise invalid(
            "service.template.execution_environment",
            "The second generation execution environment needs at least 1 CPU and 512Mi of memory.",
        )


def _check_probe(container: ContainerMessage) -> None:
    field = "service.template.containers[0].startup_probe"
    probe = container.startup_probe
    if not 1 <= probe.period_seconds <= MAX_STARTUP_SECONDS:
        raise invalid(field, f"period_seconds must be between 1 and {MAX_STARTUP_SECONDS}.")
    if probe.timeout_seconds > probe.period_seconds:
        raise invalid(field, "timeout_seconds must be less than period_seconds.")
    if probe.initial_delay_seconds < 0 or probe.failure_threshold < 1:
        raise invalid(field, "initial_delay_seconds must not be negative, failure_threshold at least 1.")


def _check_concurrency(template: TemplateMessage) -> None:
    field = "service.template.max_instance_request_concurrency"
    concurrency = template.max_instance_request_concurrency
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        raise invalid(field, f"Concurrency must be between 1 and {MAX_CONCURRENCY}.")
    cpu = cpu_millis(template.containers[0].resources.limits["cpu"], field)
    if cpu < 1000 and concurrency > 1:
        raise invalid(field, "Less than 1 CPU allows a concurrency of 1 only.")


def _check_volumes(template: TemplateMessage) -> None:
    container = template.containers[0]
    memory = memory_bytes(container.resources.limits["memory"], "service.template.containers[0].resources")
    names = set()
    for volume in template.volumes:
        field = f"service.template.volumes[{volume.name}]"
        if volume.WhichOneof("volume_type") != "empty_dir":
            raise unimplemented(field, "Only empty_dir volumes are emulated.")
        limit = volume.empty_dir.size_limit
        if limit and memory_bytes(limit, field) > memory:
            raise invalid(field, f"size_limit {limit} is above the container's memory.")
        names.add(volume.name)
    for mount in container.volume_mounts:
        if mount.name not in names:
            raise invalid("service.template.containers[0].volume_mounts", f"No volume named '{mount.name}'.")
        if not mount.mount_path.startswith("/"):
            raise invalid("service.template.containers[0].volume_mounts", "mount_path must be absolute.")
