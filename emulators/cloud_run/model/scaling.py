"""How many instances may a service have? The mode switches of service-level scaling, and what results.

Presence matters: `manual_instance_count: 0` is a stop, an absent one is inherited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.messages import ScalingMessage, ServiceMessage
from emulators.cloud_run.model.violations import Violations

AUTOMATIC = int(run.ServiceScaling.ScalingMode.AUTOMATIC)
MANUAL = int(run.ServiceScaling.ScalingMode.MANUAL)
DEFAULT_MAX_INSTANCES = 100
_RANGE = ("min_instance_count", "max_instance_count")


@dataclass(frozen=True, slots=True)
class InstanceRange:
    """The instances that a service keeps at least and has at most; `exact` when neither traffic nor idleness counts."""

    minimum: int
    maximum: int
    exact: bool = False

    @property
    def off(self) -> bool:
        """Whether nothing may run: MANUAL 0."""
        return self.exact and self.minimum == 0


def settle_scaling(
    old: ScalingMessage,
    new: ScalingMessage,
    request: ScalingMessage,
    paths: Sequence[str],
    found: Violations,
) -> None:
    """Complete `new` in place after a change from `old`: default mode, inherited counts; refuse half a switch."""
    if not new.scaling_mode:
        new.scaling_mode = AUTOMATIC
    switched = new.scaling_mode != (old.scaling_mode or AUTOMATIC)
    if new.scaling_mode == MANUAL:
        if not new.HasField("manual_instance_count") or (switched and not _manual_given(request, paths)):
            new.manual_instance_count = new.min_instance_count
    elif switched:
        _settle_automatic(old, new, request, paths, found)
    _check_counts(new, found)


def _settle_automatic(
    old: ScalingMessage,
    new: ScalingMessage,
    request: ScalingMessage,
    paths: Sequence[str],
    found: Violations,
) -> None:
    missing = [name for name in _RANGE if not _given(request, paths, name)]
    if len(missing) == 1:
        found.add(
            missing[0],
            "A change from MANUAL to AUTOMATIC scaling must give both min_instance_count and "
            f"max_instance_count, or neither; {missing[0]} is missing.",
        )
    elif missing:
        for name in _RANGE:
            setattr(new, name, old.manual_instance_count)


def _given(request: ScalingMessage, paths: Sequence[str], name: str) -> bool:
    return f"scaling.{name}" in paths or (getattr(request, name) != 0 and (not paths or "scaling" in paths))


def _manual_given(request: ScalingMessage, paths: Sequence[str]) -> bool:
    covered = not paths or "scaling" in paths or "scaling.manual_instance_count" in paths
    return covered and bool(request.HasField("manual_instance_count"))


def _check_counts(scaling: ScalingMessage, found: Violations) -> None:
    if scaling.scaling_mode not in (AUTOMATIC, MANUAL):
        found.add("scaling_mode", f"{scaling.scaling_mode} is not a scaling mode.")
    for name in (*_RANGE, "manual_instance_count"):
        if getattr(scaling, name) < 0:
            found.add(name, "must not be negative.")
    # A max of 0 cannot be told from none on the wire.
    if 0 < scaling.max_instance_count < scaling.min_instance_count:
        found.add("max_instance_count", "must not be less than min_instance_count.")


def instance_range(service: ServiceMessage) -> InstanceRange:
    """What the service's and the template's scaling come to; MANUAL ignores the template's."""
    scaling = service.scaling
    if scaling.scaling_mode == MANUAL:
        count = scaling.manual_instance_count
        return InstanceRange(count, count, exact=True)
    template = service.template.scaling
    limits = [count for count in (scaling.max_instance_count, template.max_instance_count) if count]
    maximum = min(limits, default=DEFAULT_MAX_INSTANCES)
    return InstanceRange(min(maximum, max(scaling.min_instance_count, template.min_instance_count)), maximum)
