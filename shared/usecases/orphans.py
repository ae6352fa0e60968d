"""Services of ours that no record answers for: seen once they are marked, seen again after a grace they are deleted.

The services are listed first and the records read after, and each write bears the etag of what was listed: whoever
takes a service into use in the meantime wins. The mark is on the service itself, so this needs no memory of its own.
A service that is scaled up without a `notAfter` has been stopped by then: that is the other, hastier pass's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from shared.domain.errors import DormouseError, NotFound, StaleWrite
from shared.domain.lifecycle.orphans import MOST, is_deletable, is_orphan
from shared.domain.observed import ServiceView
from shared.domain.states import Reason
from shared.usecases.deps import Deps
from shared.usecases.sweep import Trouble


@dataclass(slots=True, kw_only=True)
class OrphanReport:
    """What one pass saw and did, by the services' names."""

    seen: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    reason: Reason = Reason.ORPHAN
    refused: bool = False
    """So many that nothing was done; somebody has to look."""
    troubles: list[Trouble] = field(default_factory=list)


def collect_orphans(deps: Deps, cells: tuple[str, ...]) -> OrphanReport:
    """Every orphan of every cell, each on its own; none at all where there are too many to be true."""
    report = OrphanReport()
    found: list[tuple[str, ServiceView]] = []
    for cell in cells:
        _isolated(report, cell, partial(_look, deps, cell, found))
    report.seen = [service.name for _, service in found]
    if len(found) > MOST:
        report.refused = True
        report.troubles.append(_too_many(len(found)))
        return report
    for cell, service in found:
        _isolated(report, service.name, partial(_treat, deps, cell, service, report))
    return report


def _look(deps: Deps, cell: str, found: list[tuple[str, ServiceView]]) -> None:
    """Whole, or not at all: what cannot be listed or read to its end says nothing about anybody."""
    found.extend((cell, service) for service in list(_orphans(deps, cell)))


def _orphans(deps: Deps, cell: str) -> Iterator[ServiceView]:
    services = list(deps.services.all(cell))
    lives = deps.records.lives({service.uid for service in services})
    for service in services:
        if is_orphan(service, lives.get(service.uid)):
            yield service
        elif service.orphan_since is not None:
            _unmark(deps, cell, service)


def _unmark(deps: Deps, cell: str, service: ServiceView) -> None:
    """It has a record after all: two sightings count only with nothing between them."""
    try:
        deps.services.mark_orphan(cell, service, None)
    except (StaleWrite, NotFound):
        return


def _treat(deps: Deps, cell: str, service: ServiceView, report: OrphanReport) -> None:
    now = deps.clock.now()
    if service.orphan_since is None:
        deps.services.mark_orphan(cell, service, now)
        report.marked.append(service.name)
    elif is_deletable(service, deps.policy.orphan_grace, now):
        deps.services.delete(cell, service)
        report.deleted.append(service.name)


def _isolated(report: OrphanReport, id_: str, work: Callable[[], None]) -> None:
    try:
        work()
    except (StaleWrite, NotFound):
        # Somebody took it into use, or away; the next pass sees which.
        return
    except DormouseError as error:
        report.troubles.append(Trouble(id=id_, reason=error.reason or error.code, message=error.message))
    except Exception as error:
        report.troubles.append(Trouble(id=id_, reason="INTERNAL", message=type(error).__name__))


def _too_many(count: int) -> Trouble:
    message = (
        f"{count} services have no record, and more than {MOST} at a time are not deleted. Check that this is the "
        "right database and that it is whole; if it is, delete the services by hand."
    )
    return Trouble(id="orphans", reason="TOO_MANY_ORPHANS", message=message)
