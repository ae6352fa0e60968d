"""Which volumes and mounts does Cloud Run accept, of those in memory that this emulator has?"""

from __future__ import annotations

from emulators.cloud_run.model.messages import ContainerMessage, TemplateMessage
from emulators.cloud_run.model.quantities import memory_bytes
from emulators.cloud_run.model.violations import Violations


def check_volumes(template: TemplateMessage, found: Violations) -> None:
    """Named volumes no larger than the container's memory, and mounts of them at absolute paths."""
    names: set[str] = set()
    for number, volume in enumerate(template.volumes):
        at = found.within(f"volumes[{number}]")
        if not volume.name or volume.name in names:
            at.add("name", f"'{volume.name}' is not a name of its own.")
        names.add(volume.name)
        if volume.WhichOneof("volume_type") is None:
            at.add("", "A volume must have a source.")
        if limit := volume.empty_dir.size_limit:
            _check_size(limit, template.containers[0], at)
    _check_mounts(template.containers[0], names, found.within("containers[0]"))


def _check_size(limit: str, container: ContainerMessage, found: Violations) -> None:
    size = found.read("empty_dir.size_limit", memory_bytes, limit)
    try:
        memory = memory_bytes(container.resources.limits["memory"])
    except ValueError:
        return  # which the resources' own check reports
    if size is not None and size > memory:
        found.add("empty_dir.size_limit", f"{limit} is above the container's memory.")


def _check_mounts(container: ContainerMessage, names: set[str], found: Violations) -> None:
    paths: set[str] = set()
    for number, mount in enumerate(container.volume_mounts):
        at = found.within(f"volume_mounts[{number}]")
        if mount.name not in names:
            at.add("name", f"There is no volume named '{mount.name}'.")
        if not mount.mount_path.startswith("/") or ":" in mount.mount_path:
            at.add("mount_path", f"'{mount.mount_path}' must be absolute and hold no colon.")
        if mount.mount_path in paths:
            at.add("mount_path", f"'{mount.mount_path}' is mounted more than once.")
        paths.add(mount.mount_path)
