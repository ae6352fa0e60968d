"""What does a create or an update make of a service? The resource before and after, without any I/O."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.conditions import mark_reconciling
from emulators.cloud_run.model.errors import aborted, already_exists, invalid, unimplemented
from emulators.cloud_run.model.masks import apply_mask, replace
from emulators.cloud_run.model.messages import Service, ServiceMessage, TemplateMessage, copy_of, set_time
from emulators.cloud_run.model.metadata import check_annotations, check_description, check_labels
from emulators.cloud_run.model.names import revision_id
from emulators.cloud_run.model.scaling import settle_scaling
from emulators.cloud_run.model.template import check_template, fill_defaults

_LATEST = int(run.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST)
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
    """The service that a create makes."""
    service = Service(name=name, uid=uid, uri=uri)
    replace(service, request)
    if not service.HasField("template"):
        raise invalid("service.template", "A service must have a template.")
    service.urls.append(uri)
    set_time(service.create_time, stamp.now)
    settle_scaling(Service().scaling, service.scaling, request.scaling, ())
    _complete(service, rules)
    _name_revision(service, None, stamp)
    _accept(service, stamp.now)
    return service


def changed_service(
    current: ServiceMessage,
    request: ServiceMessage,
    paths: Sequence[str],
    *,
    stamp: Stamp,
    rules: Rules,
) -> ServiceMessage:
    """The service after an update; a changed template names a new revision, nothing else does."""
    service = copy_of(current)
    if paths and "*" not in paths:
        apply_mask(service, request, paths)
    else:
        paths = ()
        replace(service, request)
    settle_scaling(current.scaling, service.scaling, request.scaling, paths)
    _complete(service, rules)
    if service.template != current.template:
        _name_revision(service, current.template, stamp)
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
    """Whether the change made a revision."""
    return bool(current.latest_created_revision != changed.latest_created_revision)


def _complete(service: ServiceMessage, rules: Rules) -> None:
    service.ingress = service.ingress or _INGRESS_ALL
    service.launch_stage = service.launch_stage or _GA
    check_labels(service.labels, "service.labels")
    check_annotations(service.annotations, "service.annotations")
    check_description(service.description)
    _settle_traffic(service)
    fill_defaults(service.template)
    check_template(service.template, require_service_account=rules.require_service_account)


def _settle_traffic(service: ServiceMessage) -> None:
    if not service.traffic:
        service.traffic.add(type_=_LATEST, percent=100)
    if len(service.traffic) != 1 or service.traffic[0].type_ != _LATEST:
        raise unimplemented("service.traffic", "The emulator sends all traffic to the latest revision.")
    service.ClearField("traffic_statuses")
    service.traffic_statuses.add(type_=_LATEST, percent=100, uri=service.uri)


def _name_revision(service: ServiceMessage, before: TemplateMessage | None, stamp: Stamp) -> None:
    service_id = service.name.rpartition("/")[2]
    explicit = service.template.revision
    if explicit and not explicit.startswith(f"{service_id}-"):
        raise invalid("service.template.revision", f"A revision's name must begin with '{service_id}-'.")
    if explicit and before is not None and explicit == before.revision:
        raise already_exists(f"Revision named '{explicit}' with different configuration already exists.")
    revision = explicit or revision_id(service_id, service.generation + 1, stamp.suffix)
    service.latest_created_revision = f"{service.name}/revisions/{revision}"


def _accept(service: ServiceMessage, now: datetime) -> None:
    service.generation += 1
    set_time(service.update_time, now)
    mark_reconciling(service, now)
    seed = f"{service.uid} {service.generation} {service.update_time.ToNanoseconds()}"
    digest = hashlib.sha256(seed.encode()).digest()[:12]
    service.etag = f'"{base64.urlsafe_b64encode(digest).decode()}"'
