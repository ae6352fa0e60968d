"""What does a Cloud Run service say about itself, in the domain's words? Reads a `run_v2.Service`; asks nothing."""

from datetime import UTC, datetime
from typing import Any

from shared.adapters.cloud_run.blueprint import EPOCH, MANAGED_BY, NOT_AFTER, ORPHAN_SINCE
from shared.adapters.cloud_run.breakdowns import breakdown_of, name_of
from shared.domain.names import Uid
from shared.domain.observed import Scaling, ServiceView

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def view(service: Any) -> ServiceView:
    """The service as the domain sees it; one that is not ours has an empty uid."""
    return ServiceView(
        name=service.name.rpartition("/")[2],
        etag=service.etag,
        uid=Uid(service.labels.get("dormouse-uid", "")),
        epoch=_epoch(service.annotations.get(EPOCH, "")),
        not_after=_time(service.annotations.get(NOT_AFTER, "")),
        scaling=_scaling(service.scaling),
        settled=_settled(service),
        changed_at=_changed_at(service),
        uri=service.uri,
        orphan_since=_time(service.annotations.get(ORPHAN_SINCE, "")),
        breakdown=breakdown_of(service.terminal_condition),
    )


def is_ours(service: Any, environment: str) -> bool:
    """Whether this deployment made the service."""
    labels = service.labels
    return bool(
        labels.get("managed-by") == MANAGED_BY
        and labels.get("dormouse-environment") == environment
        and labels.get("dormouse-uid")
    )


def _settled(service: Any) -> bool:
    # A change that failed leaves the generation behind that last served: it is over, and will not be observed.
    failed = name_of(service.terminal_condition.state) == "CONDITION_FAILED"
    return not service.reconciling and (failed or service.observed_generation == service.generation)


def _scaling(scaling: Any) -> Scaling:
    # From the mode first: services that scale by themselves report a manual count of 0 as well.
    counts = (scaling.min_instance_count, scaling.max_instance_count)
    match name_of(scaling.scaling_mode):
        case "AUTOMATIC" if counts == (1, 1):
            return Scaling.ON
        case "MANUAL" if scaling.manual_instance_count == 0:
            return Scaling.OFF
    return Scaling.OTHER


def _changed_at(service: Any) -> datetime:
    # The condition need not move when a change keeps its state, so the change itself counts too.
    times = (service.terminal_condition.last_transition_time, service.update_time, service.create_time)
    return max((time.astimezone(UTC) for time in times if time is not None), default=_NEVER)


def _epoch(text: str) -> int:
    """An annotation that nobody of ours wrote is older than every epoch."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else None
