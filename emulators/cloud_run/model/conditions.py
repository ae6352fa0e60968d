"""What does a service say about itself? Its Ready condition and the two that it is made of.

Severities stay unspecified: Cloud Run gives one to conditions of revisions that do not count, never to these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.messages import Condition, ConditionMessage, ServiceMessage, set_time
from emulators.cloud_run.model.scaling import instance_range
from emulators.cloud_run.model.traffic import show_traffic

_STATES = run.Condition.State
_COMMON = run.Condition.CommonReason
_REVISION = run.Condition.RevisionReason


class Reason(StrEnum):
    """Why a condition is what it is; the names are Cloud Run's."""

    NONE = ""
    CONTAINER_MISSING = "CONTAINER_MISSING"
    HEALTH_CHECK_CONTAINER_ERROR = "HEALTH_CHECK_CONTAINER_ERROR"
    HEALTH_CHECK_SKIPPED = "HEALTH_CHECK_SKIPPED"
    MIN_INSTANCES_WARMING = "MIN_INSTANCES_WARMING"
    PROGRESS_DEADLINE_EXCEEDED = "PROGRESS_DEADLINE_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a reconciliation."""

    ready: bool
    reason: Reason = Reason.NONE
    message: str = ""


def mark_reconciling(service: ServiceMessage, now: datetime) -> None:
    """A change was accepted and is not yet in force; what serves, and `observed_generation`, are those before it."""
    warming = service.latest_created_revision != service.latest_ready_revision and _keeps_warm(service)
    verdict = Verdict(ready=False, reason=Reason.MIN_INSTANCES_WARMING if warming else Reason.NONE)
    service.reconciling = True
    _set_all(service, int(_STATES.CONDITION_RECONCILING), verdict, now)


def mark_settled(service: ServiceMessage, verdict: Verdict, now: datetime) -> None:
    """The last change is in force, or failed for the verdict's reason: then what served before is still shown."""
    state = _STATES.CONDITION_SUCCEEDED if verdict.ready else _STATES.CONDITION_FAILED
    service.reconciling = False
    if verdict.ready:
        service.observed_generation = service.generation
        service.latest_ready_revision = service.latest_created_revision
        show_traffic(service)
    _set_all(service, int(state), verdict, now)


def is_failed(service: ServiceMessage) -> bool:
    """Whether the Ready condition is a failure."""
    return bool(service.terminal_condition.state == int(_STATES.CONDITION_FAILED))


def _keeps_warm(service: ServiceMessage) -> bool:
    wanted = instance_range(service)
    return wanted.minimum > 0 and not wanted.exact


def _set_all(service: ServiceMessage, state: int, verdict: Verdict, now: datetime) -> None:
    # Of a success only the configuration has something to add: that nothing was started to check it.
    # So too of what is on its way: that it waits for minimum instances.
    outward = verdict if state == int(_STATES.CONDITION_FAILED) else Verdict(ready=verdict.ready)
    _set(service.terminal_condition, "Ready", state, outward, now)
    before = {condition.type_: condition for condition in service.conditions}
    after = []
    for kind in ("RoutesReady", "ConfigurationsReady"):
        condition = Condition()
        condition.CopyFrom(before.get(kind, Condition()))
        _set(condition, kind, state, verdict if kind == "ConfigurationsReady" else outward, now)
        after.append(condition)
    service.ClearField("conditions")
    service.conditions.extend(after)


def _set(condition: ConditionMessage, kind: str, state: int, verdict: Verdict, now: datetime) -> None:
    if condition.state != state or condition.type_ != kind:
        set_time(condition.last_transition_time, now)
    condition.type_ = kind
    condition.state = state
    condition.message = verdict.message
    for name in ("reason", "revision_reason"):
        condition.ClearField(name)
    if verdict.reason in _COMMON.__members__:
        condition.reason = int(_COMMON[verdict.reason])
    elif verdict.reason:
        condition.revision_reason = int(_REVISION[verdict.reason])
