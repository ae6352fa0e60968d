"""What does a Cloud Run service say about itself, in the domain's words? Reads a `run_v2.Service`; asks nothing."""

from datetime import UTC, datetime
from typing import Any

from shared.adapters.cloud_run.blueprint import EPOCH, MANAGED_BY, NOT_AFTER
from shared.domain.names import Uid
from shared.domain.observed import Breakdown, Scaling, ServiceView
from shared.domain.states import Reason

_REASONS = {
    "PROGRESS_DEADLINE_EXCEEDED": Reason.UNHEALTHY,
    "MIN_INSTANCES_NOT_PROVISIONED": Reason.UNHEALTHY,
    "HEALTH_CHECK_CONTAINER_ERROR": Reason.START_FAILED,
    "INTERNAL": Reason.CRASH,
}
_OUT_OF_MEMORY = ("out of memory", "out-of-memory", "memory limit")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_MESSAGE_LENGTH = 1000


def view(service: Any) -> ServiceView:
    """The service as the domain sees it; one that is not ours has an empty uid."""
    return ServiceView(
        name=service.name.rpartition("/")[2],
        etag=service.etag,
        uid=Uid(service.labels.get("dormouse-uid", "")),
        epoch=_epoch(service.annotations.get(EPOCH, "")),
        not_after=_time(service.annotations.get(NOT_AFTER, "")),
        scaling=_scaling(service.scaling),
        settled=service.observed_generation == service.generation and not service.reconciling,
        changed_at=_changed_at(service),
        uri=service.uri,
        breakdown=_breakdown(service.terminal_condition),
    )


def is_ours(service: Any, environment: str) -> bool:
    """Whether this deployment made the service."""
    labels = service.labels
    return bool(
        labels.get("managed-by") == MANAGED_BY
        and labels.get("dormouse-environment") == environment
        and labels.get("dormouse-uid")
    )


def _scaling(scaling: Any) -> Scaling:
    # From the mode first: services that scale by themselves report a manual count of 0 as well.
    counts = (scaling.min_instance_count, scaling.max_instance_count)
    match _name(scaling.scaling_mode):
        case "AUTOMATIC" if counts == (1, 1):
            return Scaling.ON
        case "MANUAL" if scaling.manual_instance_count == 0:
            return Scaling.OFF
    return Scaling.OTHER


def _changed_at(service: Any) -> datetime:
    # The condition need not move when a change keeps its state, so the change itself counts too.
    times = (service.terminal_condition.last_transition_time, service.update_time, service.create_time)
    return max((time.astimezone(UTC) for time in times if time is not None), default=_NEVER)


def _breakdown(condition: Any) -> Breakdown | None:
    if _name(condition.state) != "CONDITION_FAILED":
        return None
    message = condition.message[:_MESSAGE_LENGTH]
    if any(words in message.lower() for words in _OUT_OF_MEMORY):
        return Breakdown(Reason.OOM, message)
    names = (_name(condition.reason), _name(condition.revision_reason))
    reason = next((_REASONS[name] for name in names if name in _REASONS), Reason.START_FAILED)
    return Breakdown(reason, message)


def _name(value: Any) -> str:
    """An enum's name; a value that is newer than our client library comes as a bare number and has none."""
    return str(getattr(value, "name", ""))


def _epoch(text: str) -> int:
    """An annotation that nobody of ours wrote is older than every epoch."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else None
