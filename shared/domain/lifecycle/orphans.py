"""Which services belong to nobody? One that no record names, and that none ever will: a name is never used again.

The record comes before the resource, so a service without a record is never one that is just being made.
"""

from datetime import datetime, timedelta

from shared.domain.names import Uid, service_name
from shared.domain.observed import ServiceView
from shared.domain.workstation import Workstation

MOST = 20
"""More orphans than this at one time are no orphans: then it is we who cannot see the records."""


def is_orphan(service: ServiceView, life: Workstation | None) -> bool:
    """`service` was listed before `life`, the record of its uid, was read. Raises nothing; unsure means living."""
    if life is None:
        return True
    if service.name == life.service_name:
        return False
    number = _number(service.name, life.uid)
    # A larger number than the record's is none that we read in time to judge.
    return number is None or number <= life.k


def is_deletable(service: ServiceView, grace: timedelta, now: datetime) -> bool:
    """Whether an orphan was seen as one long enough ago."""
    return service.orphan_since is not None and now - service.orphan_since >= grace


def _number(name: str, uid: Uid) -> int | None:
    """Which service of the life `uid` bears this name; None where none ever did."""
    text = name.rpartition("-")[2]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return number if name == service_name(uid, number) else None
