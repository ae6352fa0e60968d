"""What does the Cloud Run service of a workstation look like? Requests as plain dicts; no client library, no I/O.

A lifecycle change touches `scaling` and `annotations` only. It never holds `template`: that would make a revision,
and a new revision loses the disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.observed import ServiceView
from shared.domain.sizes import Size
from shared.domain.workstation import Workstation

MANAGED_BY = "dormouse"
EPOCH = "dormouse/epoch"
NOT_AFTER = "dormouse/not-after"
ORPHAN_SINCE = "dormouse/orphan-since"

WORKSPACE = "/workspace"
DEFAULT_CERTS_URL = "https://www.googleapis.com/oauth2/v3/certs"
REQUEST_TIMEOUT = timedelta(seconds=3600)
CONCURRENCY = 80
AGENT_PORT = 48080
"""Not one that a development server takes: the agent holds it in the same network namespace."""

UP_MASK = (
    "annotations",
    "scaling.scaling_mode",
    "scaling.min_instance_count",
    "scaling.max_instance_count",
)
MARK_MASK = ("annotations",)
DOWN_MASK = ("scaling.scaling_mode", "scaling.manual_instance_count", "scaling.min_instance_count")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What all services of one deployment have in common."""

    environment: str
    """Deployments that share a cell are told apart by it."""
    runtime_service_account: str
    """What workstations run as; it has no role at all."""
    controllers: tuple[str, ...]
    """The e-mails whose control calls an agent obeys."""
    certs_url: str = DEFAULT_CERTS_URL

    def service(self, workstation: Workstation) -> Json:
        """The service at MANUAL 0, as CreateService takes it."""
        labels = self._labels(workstation)
        return {
            "labels": labels,
            "annotations": marks(workstation.epoch, workstation.not_after),
            "ingress": "INGRESS_TRAFFIC_ALL",
            "scaling": OFF,
            "template": self._template(workstation, labels),
        }

    def _labels(self, workstation: Workstation) -> Mapping[str, str]:
        return {
            "managed-by": MANAGED_BY,
            "dormouse-environment": self.environment,
            "dormouse-uid": workstation.uid,
            "dormouse-project": workstation.project_key,
        }

    def _template(self, workstation: Workstation, labels: Mapping[str, str]) -> Json:
        half = workstation.spec.size.memory // 2
        return {
            "labels": labels,
            "service_account": self.runtime_service_account,
            "timeout": REQUEST_TIMEOUT,
            "execution_environment": "EXECUTION_ENVIRONMENT_GEN2",
            "max_instance_request_concurrency": CONCURRENCY,
            "scaling": {"max_instance_count": 1},
            "containers": [self._container(workstation)],
            # In memory, so half of it: a full disk is an error that a program can read, not the end of it.
            "volumes": [
                {"name": "workspace", "empty_dir": {"medium": "MEMORY", "size_limit": f"{half}Mi"}},
            ],
        }

    def _container(self, workstation: Workstation) -> Json:
        return {
            "image": workstation.spec.image,
            "ports": [{"name": "http1", "container_port": AGENT_PORT}],
            "env": [{"name": name, "value": value} for name, value in self._env(workstation).items()],
            "resources": {
                "limits": limits(workstation.spec.size),
                # To be said explicitly as soon as limits are given, or CPU bills around the clock.
                "cpu_idle": True,
                "startup_cpu_boost": True,
            },
            "volume_mounts": [{"name": "workspace", "mount_path": WORKSPACE}],
            # Up to Cloud Run's own 240 s; our patience is shorter, and is the record's deadline.
            "startup_probe": {
                "http_get": {"path": "/healthz", "port": AGENT_PORT},
                "period_seconds": 2,
                "timeout_seconds": 1,
                "failure_threshold": 120,
            },
        }

    def _env(self, workstation: Workstation) -> Mapping[str, str]:
        ours = {
            "DORMOUSE_WORKSPACE": WORKSPACE,
            "DORMOUSE_USER_PORT": str(workstation.spec.port),
            "DORMOUSE_CONTROLLERS": ",".join(self.controllers),
        }
        if self.certs_url != DEFAULT_CERTS_URL:
            ours["GOOGLE_CERTS_URL"] = self.certs_url
        return {**workstation.spec.env, **ours}


OFF: Json = {"scaling_mode": "MANUAL", "manual_instance_count": 0, "min_instance_count": 0}
# A switch from MANUAL has to name both counts; one that is left out would inherit the manual 0.
ON: Json = {"scaling_mode": "AUTOMATIC", "min_instance_count": 1, "max_instance_count": 1}


def scaled_up(name: str, workstation: Workstation, etag: str) -> Json:
    """The UpdateService request that wakes a workstation, epoch and notAfter included."""
    marked = marks(workstation.epoch, workstation.not_after)
    service = {"name": name, "etag": etag, "annotations": marked, "scaling": ON}
    return {"service": service, "update_mask": {"paths": UP_MASK}}


def scaled_down(name: str, etag: str) -> Json:
    """The UpdateService request that stops one."""
    return {"service": {"name": name, "etag": etag, "scaling": OFF}, "update_mask": {"paths": DOWN_MASK}}


def marked_orphan(name: str, service: ServiceView, since: datetime | None) -> Json:
    """The UpdateService request that marks one as an orphan, its other marks kept."""
    annotations = marks(service.epoch, service.not_after, since)
    marked = {"name": name, "etag": service.etag, "annotations": annotations}
    return {"service": marked, "update_mask": {"paths": MARK_MASK}}


def marks(epoch: int, not_after: datetime | None, orphan_since: datetime | None = None) -> dict[str, str]:
    """Our annotations; the whole map, because a mask cannot name one key."""
    times = {NOT_AFTER: not_after, ORPHAN_SINCE: orphan_since}
    return {EPOCH: str(epoch), **{name: _written(time) for name, time in times.items() if time is not None}}


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def limits(size: Size) -> dict[str, str]:
    """CPU and memory in Cloud Run's words."""
    whole, rest = divmod(size.cpu, 1000)
    return {"cpu": f"{size.cpu}m" if rest else str(whole), "memory": f"{size.memory}Mi"}
