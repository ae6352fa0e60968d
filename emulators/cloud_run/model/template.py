"""Which templates are legal, and what do they mean when a field is left out?"""

from __future__ import annotations

import re
from datetime import timedelta

from emulators.cloud_run.model.environment import check_environment
from emulators.cloud_run.model.health_checks import MAX_PORT, check_probes, fill_probes, is_port
from emulators.cloud_run.model.messages import ContainerMessage, ScalingMessage, TemplateMessage
from emulators.cloud_run.model.metadata import check_annotations, check_labels
from emulators.cloud_run.model.resources import DEFAULT_LIMITS, check_resources, default_concurrency
from emulators.cloud_run.model.violations import Violations
from emulators.cloud_run.model.volumes import check_volumes

MAX_TIMEOUT = timedelta(hours=1)
DEFAULT_TIMEOUT = timedelta(minutes=5)
DEFAULT_PORT = 8080
_PROTOCOLS = ("http1", "h2c")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_IMAGE = re.compile(r"\w[\w.:/-]*(@\w+:[0-9a-fA-F]+)?")


def fill_defaults(template: TemplateMessage) -> None:
    """Write the server's defaults into the template; doing it twice changes nothing."""
    if not template.HasField("timeout"):
        template.timeout.FromTimedelta(DEFAULT_TIMEOUT)
    for container in template.containers:
        _fill_container(container)
    if not template.max_instance_request_concurrency:
        template.max_instance_request_concurrency = default_concurrency(template)


def check_template(template: TemplateMessage, found: Violations, *, require_service_account: bool) -> None:
    """Refuse what Cloud Run refuses; defaults are filled in."""
    check_labels(template.labels, found)
    check_annotations(template.annotations, found)
    if require_service_account and not template.service_account:
        found.add(
            "service_account", "It is not given, so the project's default account would be used; name one."
        )
    if not 0 < template.timeout.seconds + template.timeout.nanos / 1e9 <= MAX_TIMEOUT.total_seconds():
        found.add("timeout", "must be above zero; maximum allowed time is one hour.")
    check_revision_scaling(template.scaling, found.within("scaling"))
    if not template.containers:
        found.add("containers", "should contain at least one container.")
        return
    for number, container in enumerate(template.containers):
        _check_container(container, found.within(f"containers[{number}]"))
    check_resources(template, found)
    check_volumes(template, found)


def check_revision_scaling(scaling: ScalingMessage, found: Violations) -> None:
    """The counts of one revision; the service's own are another matter."""
    for name in ("min_instance_count", "max_instance_count"):
        if getattr(scaling, name) < 0:
            found.add(name, "must not be negative.")
    if 0 < scaling.max_instance_count < scaling.min_instance_count:
        found.add("max_instance_count", "must not be less than min_instance_count.")


def _fill_container(container: ContainerMessage) -> None:
    container.ClearField("build_info")  # which only the server writes
    # True by default, but whoever sends resources has to say it.
    if not container.HasField("resources"):
        container.resources.cpu_idle = True
    for name, default in DEFAULT_LIMITS:
        if name not in container.resources.limits:
            container.resources.limits[name] = default
    if not container.ports:
        container.ports.add()
    for port in container.ports:
        port.name = port.name or _PROTOCOLS[0]
        port.container_port = port.container_port or DEFAULT_PORT
    fill_probes(container)


def _check_container(container: ContainerMessage, found: Violations) -> None:
    if container.name and not _DNS_LABEL.fullmatch(container.name):
        found.add("name", f"'{container.name}' is not a DNS label of RFC 1123.")
    if not _IMAGE.fullmatch(container.image):
        found.add(
            "image", "must be a container image path in the form [hostname/]repo-path[:tag and/or @digest]"
        )
    _check_ports(container, found)
    check_environment(container, found)
    check_probes(container, found)


def _check_ports(container: ContainerMessage, found: Violations) -> None:
    if len(container.ports) > 1:
        found.add("ports", "ports should contain 0 or 1 port.")
    for number, port in enumerate(container.ports):
        if port.name not in _PROTOCOLS:
            found.add(f"ports[{number}].name", f"must be one of {', '.join(_PROTOCOLS)}.")
        if not is_port(port.container_port):
            found.add(f"ports[{number}].container_port", f"must be between 1 and {MAX_PORT}.")
