"""What must an instance of a revision be? A template reduced to what runs, without Protocol Buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from emulators.cloud_run.model.messages import ContainerMessage, ServiceMessage, TemplateMessage
from emulators.cloud_run.model.quantities import memory_bytes


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
    command: tuple[str, ...]
    env: Mapping[str, str]
    volumes: tuple[Volume, ...]
    memory_bytes: int
    concurrency: int
    timeout: timedelta
    cpu_idle: bool
    probe: StartupProbe
    checked: bool = True


def image_is_known(service: ServiceMessage, images: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the template's image is one that the emulator was given."""
    return service.template.containers[0].image in images


def revision_of(
    service: ServiceMessage, service_id: str, images: Mapping[str, tuple[str, ...]]
) -> RevisionSpec:
    """The latest created revision, to be run by the command of its (known) image."""
    template = service.template
    container = template.containers[0]
    memory = memory_bytes(container.resources.limits["memory"], "memory")
    return RevisionSpec(
        service_id=service_id,
        name=service.latest_created_revision.rpartition("/")[2],
        command=(*(container.command or images[container.image]), *container.args),
        env={variable.name: variable.value for variable in container.env},
        volumes=_volumes(template, container, memory),
        memory_bytes=memory,
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
