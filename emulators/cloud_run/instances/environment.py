"""What does a container see of the world? Its environment, and nothing of the emulator's own."""

from __future__ import annotations

from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.model.revision import RevisionSpec
from emulators.cloud_run.runtime.contract import Launch


def launch_of(revision: RevisionSpec, instance_id: str, settings: InstanceSettings) -> Launch:
    """The launch of one instance of a revision."""
    return Launch(
        instance_id=instance_id,
        revision=revision,
        env=_environment(revision, settings),
        directory=settings.instances / instance_id,
        log=settings.logs / revision.service_id / f"{revision.name}-{instance_id}.log",
    )


def _environment(revision: RevisionSpec, settings: InstanceSettings) -> dict[str, str]:
    platform = {
        "K_SERVICE": revision.service_id,
        "K_REVISION": revision.name,
        "K_CONFIGURATION": revision.service_id,
    }
    if settings.metadata:
        platform |= {"GCE_METADATA_HOST": settings.metadata, "GCE_METADATA_IP": settings.metadata}
    return {**revision.env, **settings.instance_env, **platform}
