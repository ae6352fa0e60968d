"""What does a revision say about itself? The resource that a template becomes, and its conditions over its life."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.messages import (
    Condition,
    ConditionMessage,
    ServiceMessage,
    TemplateMessage,
    copy_of,
    set_time,
)
from emulators.rpc.method import Message

Revision = run.Revision.pb()
Template = run.RevisionTemplate.pb()
_SUCCEEDED = int(run.Condition.State.CONDITION_SUCCEEDED)
_RECONCILING = int(run.Condition.State.CONDITION_RECONCILING)
_FAILED = int(run.Condition.State.CONDITION_FAILED)
_INFO = int(run.Condition.Severity.INFO)
_RETIRED = int(run.Condition.RevisionReason.RETIRED)
# Those that the check of a new revision's container decides; they say why.
_CHECKED = ("Ready", "ContainerReady")
_KINDS = ("Ready", "Active", "ContainerReady", "ResourcesAvailable")


def new_revision(service: ServiceMessage, uid: str, now: datetime) -> Message:
    """The latest created revision of a service, which is not ready yet."""
    revision = _configuration(service)
    revision.name = service.latest_created_revision
    revision.service = service.name.rpartition("/")[2]
    revision.uid = uid
    revision.generation = 1
    revision.launch_stage = service.launch_stage
    revision.scaling_status.desired_min_instance_count = revision.scaling.min_instance_count
    revision.reconciling = True
    set_time(revision.create_time, now)
    _write(revision, [Condition(type_=kind, state=_RECONCILING) for kind in _KINDS], now)
    return revision


def template_of(revision: Message) -> TemplateMessage:
    """The template that makes this revision, under its name."""
    template = Template(revision=revision.name.rpartition("/")[2])
    for field, value in revision.ListFields():
        if field.name in template.DESCRIPTOR.fields_by_name:
            template.MergeFrom(Template(**{field.name: value}))
    return template


def follow(revision: Message, service: ServiceMessage, now: datetime) -> bool:
    """Bring the revision to what became of its service; False when that changed nothing."""
    latest = revision.name == service.latest_created_revision
    still_serves = revision.name == service.latest_ready_revision
    if service.reconciling or (not latest and (still_serves or is_retired(revision))):
        return False
    before = copy_of(revision)
    revision.reconciling = False
    revision.observed_generation = revision.generation
    _write(revision, _serving(service) if latest else _replaced(revision), now)
    if list(before.conditions) == list(revision.conditions) and not before.reconciling:
        revision.CopyFrom(before)
        return False
    return True


def is_retired(revision: Message) -> bool:
    """Whether another revision has replaced it."""
    return any(condition.revision_reason == _RETIRED for condition in revision.conditions)


def _configuration(service: ServiceMessage) -> Message:
    revision = Revision()
    for field, value in service.template.ListFields():
        if field.name in Revision.DESCRIPTOR.fields_by_name:
            revision.MergeFrom(Revision(**{field.name: value}))
    return revision


def _serving(service: ServiceMessage) -> list[ConditionMessage]:
    said = {condition.type_: condition for condition in service.conditions}
    verdict = said.get("ConfigurationsReady", service.terminal_condition)
    conditions = []
    for kind in _KINDS:
        condition = copy_of(verdict) if kind in _CHECKED else Condition(state=verdict.state)
        condition.type_ = kind
        conditions.append(condition)
    return conditions


def _replaced(revision: Message) -> list[ConditionMessage]:
    ready, _, container, _ = (copy_of(condition) for condition in revision.conditions)
    if ready.state == _SUCCEEDED:
        ready.revision_reason = _RETIRED
    return [
        ready,
        Condition(type_="Active", state=_FAILED, revision_reason=_RETIRED),
        container,
        Condition(type_="ResourcesAvailable", state=_RECONCILING, revision_reason=_RETIRED),
    ]


def _write(revision: Message, conditions: list[ConditionMessage], now: datetime) -> None:
    before = {condition.type_: condition for condition in revision.conditions}
    for condition in conditions:
        if condition.type_ == "Active":
            condition.severity = _INFO
        known = before.get(condition.type_)
        if known is not None and known.state == condition.state:
            condition.last_transition_time.CopyFrom(known.last_transition_time)
        else:
            set_time(condition.last_transition_time, now)
    revision.ClearField("conditions")
    revision.conditions.extend(conditions)
    set_time(revision.update_time, now)
    digest = hashlib.sha256(revision.SerializeToString(deterministic=True)).digest()[:12]
    revision.etag = f'"{base64.urlsafe_b64encode(digest).decode()}"'
