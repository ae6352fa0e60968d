"""What must an instance of a revision be? A template reduced to what runs, without Protocol Buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from emulators.cloud_run.model.messages import ContainerMessage, ServiceMessage, TemplateMessage
from emulators.cloud_run.model.probe import Probe, probe_of
from emulators.cloud_run.model.quantities import cpu_millis, memory_bytes


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
    startup: Probe
    liveness: Probe | None = None
    checked: bool = True


def image_of(service: ServiceMessage) -> str:
    """The image that the template names."""
    image: str = service.template.containers[0].image
    return image


def revision_of(service: ServiceMessage, service_id: str) -> RevisionSpec:
    """The latest created revision; `command` and `args` are empty where the image's own hold."""
    template = service.template
    container = template.containers[0]
    memory = memory_bytes(container.resources.limits["memory"])
    port = container.ports[0].container_port
    return RevisionSpec(
        service_id=service_id,
        name=service.latest_created_revision.rpartition("/")[2],
        image=container.image,
        command=tuple(container.command),
        args=tuple(container.args),
        env={variable.name: variable.value for variable in container.env},
        volumes=_volumes(template, container, memory),
        memory_bytes=memory,
        cpu_millis=cpu_millis(container.resources.limits["cpu"]),
        container_port=port,
        concurrency=template.max_instance_request_concurrency,
        timeout=template.timeout.ToTimedelta(),
        cpu_idle=container.resources.cpu_idle,
        startup=probe_of(container.startup_probe, port),
        liveness=probe_of(container.liveness_probe, port) if container.HasField("liveness_probe") else None,
        checked=not template.health_check_disabled,
    )


def _volumes(template: TemplateMessage, container: ContainerMessage, memory: int) -> tuple[Volume, ...]:
    limits = {volume.name: volume.empty_dir.size_limit for volume in template.volumes}
    return tuple(
        Volume(
            mount.name,
            mount.mount_path,
            memory_bytes(limits[mount.name]) if limits[mount.name] else memory,
        )
        for mount in container.volume_mounts
    )
