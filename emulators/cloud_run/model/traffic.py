"""Which revision gets the requests? Here always the latest; whoever asks for anything else is told so."""

from __future__ import annotations

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.messages import ServiceMessage
from emulators.cloud_run.model.violations import Violations

_LATEST = int(run.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST)
_REVISION = int(run.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION)
_WHOLE = 100


def fill_traffic(service: ServiceMessage) -> None:
    """All to the latest, where nothing is said."""
    if not service.traffic:
        service.traffic.add(type_=_LATEST, percent=_WHOLE)


def check_traffic(service: ServiceMessage, found: Violations) -> None:
    """Percents that make 100, of targets that say what they are."""
    for number, target in enumerate(service.traffic):
        at = found.within(f"traffic[{number}]")
        if not 0 <= target.percent <= _WHOLE:
            at.add("percent", "must be between 0 and 100.")
        if target.type_ not in (_LATEST, _REVISION):
            at.add("type", "required field not present.")
        if (target.type_ == _REVISION) != bool(target.revision):
            at.add("revision", "must be given with a target of type REVISION, and only there.")
        if target.tag:
            at.lack("tag", "This emulator gives no addresses to tags.")
    if sum(target.percent for target in service.traffic) != _WHOLE:
        found.add("traffic", "The percents must sum up to 100.")
    elif len(service.traffic) > 1:
        found.lack("traffic", "This emulator splits no traffic: name one target, for 100 percent.")


def check_latest(service: ServiceMessage, found: Violations) -> None:
    """Once the latest revision is known: a target that names another would not get its requests."""
    latest = service.latest_created_revision.rpartition("/")[2]
    named = service.traffic[0].revision.rpartition("/")[2]
    if named and named != latest:
        found.lack(
            "traffic[0].revision",
            f"This emulator sends all traffic to the latest revision, '{latest}', not to '{named}'.",
        )


def show_traffic(service: ServiceMessage) -> None:
    """The traffic as it was asked for is what is served from now on."""
    service.ClearField("traffic_statuses")
    for target in service.traffic:
        service.traffic_statuses.add(
            type_=target.type_, revision=target.revision, percent=target.percent, uri=service.uri
        )
