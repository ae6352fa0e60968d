"""What Cloud Scheduler calls every few minutes: a pass, and its report as JSON. Repeated or doubled calls do no harm."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
from starlette.types import ASGIApp

from functions.http.application import application
from functions.http.routes import Access, Answer, Incoming, Route
from shared.log import logger
from shared.usecases.cleanup import CleanupReport, cleanup
from shared.usecases.orphans import collect_orphans
from shared.usecases.sweep import SweepReport, sweep
from shared.wiring import App, AppSource, app

PATIENCE = timedelta(minutes=4)
"""80 % of the scheduler's attempt deadline."""


def sweep_application(source: AppSource = app) -> ASGIApp:
    return application(routes_of(_sweep), source)


def cleanup_application(source: AppSource = app) -> ASGIApp:
    return application(routes_of(_cleanup), source)


def routes_of(run: Callable[[App], Any]) -> tuple[Route, ...]:
    """One pass, for the scheduler alone."""

    def handle(incoming: Incoming) -> Answer:
        report = msgspec.to_builtins(run(incoming.app))
        log = logger().warning if report["troubles"] else logger().info
        log("pass done", **report)
        return Answer(report)

    return (
        Route("POST", "/", handle, Access.SCHEDULER, "One pass."),
        Route("GET", "/healthz", _health, Access.PUBLIC, "Whether it answers."),
    )


def _sweep(it: App) -> SweepReport:
    return sweep(it.deps, PATIENCE)


def _cleanup(it: App) -> CleanupReport:
    """What is overdue first, which works without Firestore; whatever becomes of the orphans, that is done then."""
    cells = (it.deps.cell,)
    report = cleanup(it.deps.services, it.deps.clock, cells)
    report.orphans = orphans = collect_orphans(it.deps, cells)
    report.troubles += orphans.troubles
    report.elapsed = it.deps.clock.now() - report.started
    if orphans.refused:
        logger().error("too many orphans to be true; none was deleted", services=orphans.seen)
    return report


def _health(_incoming: Incoming) -> Answer:
    return Answer({"status": "healthy"})
