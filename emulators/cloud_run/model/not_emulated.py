"""What of a service does this emulator leave to Cloud Run? Whatever is set and not in these tables is told, not dropped.

Accepted without an effect, because nothing on one machine could tell: session affinity (best effort, and there it has
one instance or none to prefer), the execution environment and startup boost, launch stage, client, service account and
an ingress of internal traffic only, as all traffic here is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.masks import OUTPUT_ONLY
from emulators.cloud_run.model.messages import ServiceMessage
from emulators.cloud_run.model.violations import Violations

_NO_INGRESS = int(run.IngressTraffic.INGRESS_TRAFFIC_NONE)
_ALL: frozenset[str] = frozenset()
# By message: the fields that have their effect here, or none that could be missed. Messages not named are whole.
_KNOWN: Mapping[str, frozenset[str]] = {
    "Service": OUTPUT_ONLY
    | {
        *("description", "labels", "annotations", "client", "client_version", "ingress", "launch_stage"),
        *("template", "traffic", "scaling", "invoker_iam_disabled"),
    },
    "RevisionTemplate": frozenset(
        {
            *("revision", "labels", "annotations", "scaling", "timeout", "service_account", "containers"),
            *("volumes", "execution_environment", "max_instance_request_concurrency"),
            *("session_affinity", "health_check_disabled"),
        }
    ),
    "Container": frozenset(
        {
            *("name", "image", "command", "args", "env", "resources", "ports", "volume_mounts"),
            *("liveness_probe", "startup_probe", "build_info"),
        }
    ),
    "EnvVar": frozenset({"name", "value"}),
    "Volume": frozenset({"name", "empty_dir"}),
    "VolumeMount": frozenset({"name", "mount_path"}),
}


def check_emulated(service: ServiceMessage, found: Violations) -> None:
    """Tell of every field that is set and would have no effect."""
    _walk(service, found)
    if service.ingress == _NO_INGRESS:
        found.lack("ingress", "This emulator shuts no service's door.")
    if len(service.template.containers) > 1:
        found.lack("template.containers", "This emulator runs one container per instance.")
    for number, container in enumerate(service.template.containers):
        if any(port.name == "h2c" for port in container.ports):
            found.lack(f"template.containers[{number}].ports[0].name", "This emulator speaks HTTP/1 only.")


def _walk(message: Any, found: Violations) -> None:
    known = _KNOWN.get(message.DESCRIPTOR.name, _ALL)
    for field, value in message.ListFields():
        if field.name in OUTPUT_ONLY and message.DESCRIPTOR.name == "Service":
            continue
        if known and field.name not in known:
            if _is_set(field, value):
                found.lack(field.name, "This field has no effect here.")
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            _walk_into(field, value, found)


def _walk_into(field: Any, value: Any, found: Violations) -> None:
    if not field.is_repeated:
        _walk(value, found.within(field.name))
        return
    for number, item in enumerate(value):
        _walk(item, found.within(f"{field.name}[{number}]"))


def _is_set(field: Any, value: Any) -> bool:
    """Whether it says anything: an empty message or an explicit default does not."""
    if field.is_repeated:
        return len(value) > 0
    return value.ByteSize() > 0 if field.message_type is not None else bool(value)
