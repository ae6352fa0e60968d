"""What does a container see of the world? Its environment and directories, and nothing of the emulator's own."""

from __future__ import annotations

import os
from pathlib import Path

from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.model.revision import RevisionSpec
from emulators.cloud_run.runtime.process import Launch, Mount


def launch_of(revision: RevisionSpec, instance_id: str, port: int, settings: InstanceSettings) -> Launch:
    """The launch of one instance of a revision."""
    directory = settings.instances / instance_id
    home = directory / "home"
    mounts = {volume.mount_path: directory / "volumes" / volume.name for volume in revision.volumes}
    return Launch(
        command=revision.command,
        env=_environment(revision, port, home, mounts, settings.metadata),
        directory=directory,
        home=home,
        mounts=tuple(Mount(mounts[volume.mount_path], volume.size_bytes) for volume in revision.volumes),
        memory_bytes=revision.memory_bytes,
        log=settings.logs / revision.service_id / f"{revision.name}-{instance_id}.log",
    )


def _environment(
    revision: RevisionSpec, port: int, home: Path, mounts: dict[str, Path], metadata: str | None
) -> dict[str, str]:
    # A process has no mount table of its own, so a variable that names a mount path names the directory instead.
    given = {name: str(mounts.get(value, value)) for name, value in revision.env.items()}
    platform = {
        "PORT": str(port),
        "K_SERVICE": revision.service_id,
        "K_REVISION": revision.name,
        "K_CONFIGURATION": revision.service_id,
        "HOME": str(home),
    }
    if metadata:
        platform |= {"GCE_METADATA_HOST": metadata, "GCE_METADATA_IP": metadata}
    own = {"PATH": os.environ.get("PATH", os.defpath), "LANG": os.environ.get("LANG", "C.UTF-8")}
    return own | given | platform
