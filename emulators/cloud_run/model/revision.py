"""What must an instance of a revision be? A template reduced to what runs, without Protocol Buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from emulators.cloud_run.model.messages import ContainerMessage, ServiceMessage, TemplateMessage
from emulators.cloud_run.model.quantities import cpu_millis, memory_bytes


@dataclass(frozen=True, slots=True)
class StartupProbe:
    """When an instance counts as started: its port accepts, or `path` answers 2xx or 3xx."""

    initial_delay: timedelta
    timeout: timedelta
    allowance: timedelta
    path: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """A workspace of bounded size, empty for each new instance."""

    name: str
    mount_path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RevisionSpec:
    """One immutable revision of a service."""

    service_id: str
    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    volumes: tuple[Volume, ...]
    memory_bytes: int
    cpu_millis: int
    container_port: int
    concurrency: int
    timeout: timedelta
    cpu_idle: bool
    probe: StartupProbe
    checked: bool = True


def image_of(service: ServiceMessage) -> str:
    """The image that the template names."""
    image: str = service.template.containers[0].image
    return image


def revision_of(service: ServiceMessage, service_id: str) -> RevisionSpec:
    """The latest created revision; `command` and `args` are empty where the image's own hold."""
    template = service.template
    container = template.containers[0]
    memory = memory_bytes(container.resources.limits["memory"], "memory")
    return RevisionSpec(
        service_id=service_id,
        name=service.latest_created_revision.rpartition("/")[2],
        image=container.image,
        command=tuple(container.command),
        args=tuple(container.args),
        env={variable.name: variable.value for variable in container.env},
        volumes=_volumes(template, container, memory),
        memory_bytes=memory,
        cpu_millis=cpu_millis(container.resources.limits["cpu"], "cpu"),
        container_port=container.ports[0].container_port or 8080,
        concurrency=template.max_instance_request_concurrency,
        timeout=template.timeout.ToTimedelta(),
        cpu_idle=container.resources.cpu_idle,
        probe=_probe(container),
        checked=not template.health_check_disabled,
    )


def _volumes(template: TemplateMessage, container: ContainerMessage, memory: int) -> tuple[Volume, ...]:
    limits = {volume.name: volume.empty_dir.size_limit for volume in template.volumes}
    return tuple(
        Volume(
            mount.name,
            mount.mount_path,
            memory_bytes(limits[mount.name], "size_limit") if limits[mount.name] else memory,
        )
        for mount in container.volume_mounts
    )


def _probe(container: ContainerMessage) -> StartupProbe:
    probe = container.startup_probe
    http = probe.http_get if probe.HasField("http_get") else None
    return StartupProbe(
        initial_delay=timedelta(seconds=probe.initial_delay_seconds),
        timeout=timedelta(seconds=probe.timeout_seconds),
        allowance=timedelta(seconds=probe.period_seconds * probe.failure_threshold),
        path=(http.path or "/") if http else None,
        headers=tuple((header.name, header.value) for header in http.http_headers) if http else (),
    )
