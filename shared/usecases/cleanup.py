"""The second, independent killer: scales every service of ours that is past its `notAfter` to zero.

It reads the services alone, never the database: so neither a lost database nor a dead sweep leaves a bill.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.errors import DormouseError
from shared.domain.observed import Scaling, ServiceView
from shared.domain.states import Reason
from shared.ports import Clock, ServiceHost
from shared.usecases.orphans import OrphanReport
from shared.usecases.sweep import Trouble


@dataclass(slots=True, kw_only=True)
class CleanupReport:
    started: datetime
    services: int = 0
    stopped: list[str] = field(default_factory=list)
    reason: Reason = Reason.OVERDUE
    orphans: OrphanReport = field(default_factory=OrphanReport)
    """Of the second, slower half of the pass."""
    troubles: list[Trouble] = field(default_factory=list)
    elapsed: timedelta = timedelta(0)


def cleanup(services: ServiceHost, clock: Clock, cells: tuple[str, ...]) -> CleanupReport:
    """Every overdue service in every cell, each on its own."""
    report = CleanupReport(started=clock.now())
    for cell in cells:
        try:
            for service in services.all(cell):
                report.services += 1
                if is_overdue(service, clock.now()):
                    _stop(services, cell, service, report)
        except DormouseError as error:
            report.troubles.append(Trouble(id=cell, reason=error.reason or error.code, message=error.message))
    report.elapsed = clock.now() - report.started
    return report


def is_overdue(service: ServiceView, now: datetime) -> bool:
    """Whether it may no longer run. One that is scaled up without a notAfter never had leave to."""
    if service.scaling is Scaling.OFF:
        return False
    return service.not_after is None or now >= service.not_after


def _stop(services: ServiceHost, cell: str, service: ServiceView, report: CleanupReport) -> None:
    try:
        services.scale_down(cell, service)
        report.stopped.append(service.name)
    except DormouseError as error:
        report.troubles.append(
            Trouble(id=service.name, reason=error.reason or error.code, message=error.message)
        )
