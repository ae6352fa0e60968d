"""What does a create or an update make of a service? The resource before and after, without any I/O."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.conditions import mark_reconciling
from emulators.cloud_run.model.errors import aborted, already_exists
from emulators.cloud_run.model.masks import WHOLE, apply_mask, check_mask, replace
from emulators.cloud_run.model.messages import Service, ServiceMessage, TemplateMessage, copy_of, set_time
from emulators.cloud_run.model.metadata import check_annotations, check_description, check_labels
from emulators.cloud_run.model.names import check_revision_id, revision_id
from emulators.cloud_run.model.not_emulated import check_emulated
from emulators.cloud_run.model.scaling import settle_scaling
from emulators.cloud_run.model.template import check_template, fill_defaults
from emulators.cloud_run.model.traffic import check_latest, check_traffic, fill_traffic
from emulators.cloud_run.model.violations import Violations

_INGRESS_ALL = int(run.IngressTraffic.INGRESS_TRAFFIC_ALL)
_GA = 4  # google.api.LaunchStage.GA


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the server adds to a change: when, and the random part of a new revision's name."""

    now: datetime
    suffix: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator of the emulator asks beyond Cloud Run's own rules."""

    require_service_account: bool = False


def new_service(
    request: ServiceMessage, *, name: str, uid: str, uri: str, stamp: Stamp, rules: Rules
) -> ServiceMessage:
    """The service that a create makes; INVALID_ARGUMENT names every bad field of the request."""
    service = Service(name=name, uid=uid, uri=uri)
    replace(service, request)
    service.urls.append(uri)
    set_time(service.create_time, stamp.now)
    found = Violations("CreateServiceRequest.service")
    settle_scaling(Service().scaling, service.scaling, request.scaling, (), found.within("scaling"))
    _complete(service, rules, found)
    _name_revision(service, stamp, {})
    check_latest(service, found)
    found.settle()
    _accept(service, stamp.now)
    return service


def changed_service(
    current: ServiceMessage,
    request: ServiceMessage,
    paths: Sequence[str],
    *,
    stamp: Stamp,
    rules: Rules,
    revisions: Mapping[str, TemplateMessage] | None = None,
) -> ServiceMessage:
    """The service after an update; a changed template names a new revision, nothing else does.

    `revisions` are the templates of the service's earlier revisions by their ids. INVALID_ARGUMENT names every bad
    path or field, ALREADY_EXISTS the revision that has another template than the one that is to be called so.
    """
    check_mask(current, paths)
    paths = () if WHOLE in paths else paths
    service = copy_of(current)
    if paths:
        apply_mask(service, request, paths)
    else:
        replace(service, request)
    found = Violations("UpdateServiceRequest.service")
    settle_scaling(current.scaling, service.scaling, request.scaling, paths, found.within("scaling"))
    _complete(service, rules, found)
    if service.template != current.template:
        _name_revision(service, stamp, {**(revisions or {}), **_revision_of(current)})
    check_latest(service, found)
    found.settle()
    _accept(service, stamp.now)
    return service


def require_etag(service: ServiceMessage, etag: str) -> None:
    """An etag that is given must be the current one."""
    if etag and etag != service.etag:
        raise aborted(
            f"Conflict for resource '{service.name}': version '{etag}' was specified but current version is "
            f"'{service.etag}'."
        )


def needs_new_revision(current: ServiceMessage, changed: ServiceMessage) -> bool:
    """Whether a change made a new revision."""
    return bool(current.latest_created_revision != changed.latest_created_revision)


def is_taken(template: TemplateMessage, revisions: Mapping[str, TemplateMessage]) -> bool:
    """Whether the template's revision name belongs to a revision of another configuration."""
    return template.revision in revisions and template != revisions[template.revision]


def _revision_of(service: ServiceMessage) -> dict[str, TemplateMessage]:
    template = copy_of(service.template)
    template.revision = service.latest_created_revision.rpartition("/")[2]
    return {template.revision: template}


def _complete(service: ServiceMessage, rules: Rules, found: Violations) -> None:
    """Fill in the defaults, refuse what is illegal then; what is not emulated is told only of a legal service."""
    service.ingress = service.ingress or _INGRESS_ALL
    service.launch_stage = service.launch_stage or _GA
    check_labels(service.labels, found)
    check_annotations(service.annotations, found)
    check_description(service.description, found)
    fill_traffic(service)
    check_traffic(service, found)
    if not service.HasField("template"):
        found.add("template", "required field not present.")
    else:
        fill_defaults(service.template)
        template = found.within("template")
        check_template(service.template, template, require_service_account=rules.require_service_account)
        if service.template.revision:
            check_revision_id(service.template.revision, service.name.rpartition("/")[2], found)
    check_emulated(service, found)
    found.settle()


def _name_revision(service: ServiceMessage, stamp: Stamp, revisions: Mapping[str, TemplateMessage]) -> None:
    explicit = service.template.revision
    if explicit and is_taken(service.template, revisions):
        raise already_exists(f"Revision named '{explicit}' with different configuration already exists.")
    service_id = service.name.rpartition("/")[2]
    revision = explicit or revision_id(service_id, service.generation + 1, stamp.suffix)
    service.latest_created_revision = f"{service.name}/revisions/{revision}"


def _accept(service: ServiceMessage, now: datetime) -> None:
    service.generation += 1
    set_time(service.update_time, now)
    mark_reconciling(service, now)
    seed = f"{service.uid} {service.generation} {service.update_time.ToNanoseconds()}"
    digest = hashlib.sha256(seed.encode()).digest()[:12]
    service.etag = f'"{base64.urlsafe_b64encode(digest).decode()}"'
