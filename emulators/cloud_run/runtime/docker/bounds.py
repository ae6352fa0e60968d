"""What may a container use, and what may it do? Everything of it is said here, when it is created."""

from __future__ import annotations

from typing import Any

from docker.types import LogConfig

from emulators.cloud_run.model.quantities import MIB
from emulators.cloud_run.runtime.contract import Launch
from emulators.cloud_run.runtime.docker.images import Image

PIDS = 512
_RUN_BYTES = 16 * MIB


def creation(launch: Launch, image: Image, *, network: str, cpus: int) -> dict[str, Any]:
    """The arguments of the SDK's `containers.create`, but for the labels; `cpus` is what the engine has."""
    revision = launch.revision
    home = launch.env.get("HOME", image.home)
    environment = launch.env | {"PORT": str(revision.container_port), "HOME": home}
    return {
        "image": image.id,
        "entrypoint": list(revision.command) or None,
        "command": list(revision.args) or None,
        "environment": environment,
        "user": image.user,
        "hostname": revision.service_id,
        "network": network,
        "init": True,
        "read_only": True,
        "tmpfs": _writable(launch, image, home),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "restart_policy": {"Name": "no"},
        # The emulator keeps the log; the engine's own copy must not fill the disk meanwhile.
        "log_config": LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
        **_limits(launch, cpus),
    }


def _limits(launch: Launch, cpus: int) -> dict[str, Any]:
    memory = launch.revision.memory_bytes
    return {
        "mem_limit": memory,
        "memswap_limit": memory,
        # An engine refuses more CPU than its machine has.
        "nano_cpus": min(launch.revision.cpu_millis, cpus * 1000) * 1_000_000,
        "pids_limit": PIDS,
    }


def _writable(launch: Launch, image: Image, home: str) -> dict[str, str]:
    """Where it may write: in memory, each bounded, all counted against its memory."""
    volumes = {volume.mount_path.rstrip("/"): volume.size_bytes for volume in launch.revision.volumes}
    half = launch.revision.memory_bytes // 2
    own = {"/tmp": half, "/run": _RUN_BYTES, home.rstrip("/"): half}  # noqa: S108 - the container's
    kept = {path: size for path, size in own.items() if path and not _is_below(path, volumes)}
    options = f"exec,nosuid,nodev,uid={image.uid},gid={image.gid}"
    return {path: f"{options},mode={_mode(path)},size={size}" for path, size in (kept | volumes).items()}


def _is_below(path: str, volumes: dict[str, int]) -> bool:
    return any(path == volume or path.startswith(f"{volume}/") for volume in volumes)


def _mode(path: str) -> str:
    return "1777" if path == "/tmp" else "0755"  # noqa: S108 - the container's
