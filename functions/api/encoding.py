"""From the domain to the wire."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from functions.api import wire
from functions.http.errors import HTTP_STATUS
from shared.domain.breakdown import Breakdown
from shared.domain.budget import User
from shared.domain.errors import Broken
from shared.domain.events import Event
from shared.domain.money import Micros
from shared.domain.operations import Operation
from shared.domain.policy import Policy
from shared.domain.states import State
from shared.domain.workstation import Workstation
from shared.usecases.estimate import Balance, Period, balance, etag_of, planned_stop, session_cost

PASSING = frozenset({State.PENDING, State.STARTING, State.STOPPING, State.DELETING})


def money(amount: int) -> wire.Money:
    """Micro-dollars as google.type.Money."""
    units, micros = divmod(abs(amount), 1_000_000)
    sign = -1 if amount < 0 else 1
    return wire.Money(currency_code="USD", units=str(sign * units), nanos=sign * micros * 1000)


def duration(value: timedelta) -> str:
    return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"


def seconds(text: str) -> float:
    """A wire duration; its shape was checked at decoding."""
    return float(text.removesuffix("s"))


def cost(workstation: Workstation, user: User, policy: Policy, now: datetime) -> wire.Cost:
    left = balance(user, policy, now)
    return wire.Cost(
        hourly=money(workstation.interval.rate if workstation.interval else 0),
        hourly_running=money(workstation.rate.active),
        hourly_idle=money(workstation.rate.idle),
        million_requests=money(workstation.rate.requests),
        session=money(session_cost(workstation, now)),
        requests=workstation.interval.session_requests if workstation.interval else 0,
        remaining_today=money(left.day.remaining),
        remaining_this_month=money(left.month.remaining),
        rate_card=f"{workstation.rate.card}/{workstation.rate.version}",
    )


def workstation(
    value: Workstation, user: User, policy: Policy, now: datetime, gateway: str
) -> wire.Workstation:
    spec, stop_after = value.spec, value.stop_after(policy)
    ending = planned_stop(value, user, policy, now)
    return wire.Workstation(
        name=f"workstations/{value.id}",
        id=value.id,
        uid=value.uid,
        project=value.project,
        display_name=value.name,
        template=spec.template,
        size=spec.size_name,
        cpu=f"{spec.size.cpu / 1000:g}",
        memory=f"{spec.size.memory}Mi",
        priority=spec.priority,
        env=dict(spec.env),
        state=value.state,
        reason=value.reason or "",
        message=value.message,
        reconciling=value.state in PASSING,
        state_time=value.state_time,
        create_time=value.create_time,
        update_time=value.update_time,
        last_activity=wire.Activity(
            time=value.last_activity.time, source=value.last_activity.source, cause=value.last_activity.cause
        ),
        idle_timeout=duration(value.idle_after(policy)),
        stop_timeout=duration(stop_after) if stop_after else None,
        host=f"{gateway}/w/{value.id}/" if gateway else "",
        cost=cost(value, user, policy, now),
        backup=_backup(value),
        unsaved_changes=value.unsaved_changes,
        stop_time=ending.time if ending else None,
        stop_reason=ending.reason if ending else "",
        etag=etag_of(value),
        error=_status(value.breakdown, value.failed_time),
        failures=value.failures,
        retry_time=value.retry_at,
        warnings=list(value.warnings),
    )


def _status(found: Breakdown | None, time: datetime | None) -> wire.Status | None:
    if found is None:
        return None
    return wire.Status(
        code=HTTP_STATUS[Broken.code],
        status=Broken.code,
        message=found.text,
        reason=found.cause,
        help=found.help,
        log=list(found.log),
        time=time,
    )


def _backup(value: Workstation) -> wire.Backup | None:
    found = value.backup
    if found is None:
        return None
    return wire.Backup(time=found.time, size_bytes=str(found.size), files=found.files, sha256=found.sha256)


def operation(
    value: Operation, response: wire.Workstation | None = None, estimate: wire.Cost | None = None
) -> wire.Operation:
    metadata = wire.Metadata(
        target=f"workstations/{value.workstation}",
        verb=value.verb,
        create_time=value.create_time,
        end_time=value.done_time,
        stages=[
            wire.Stage(name=stage.state, start_time=stage.start, end_time=stage.end) for stage in value.stages
        ],
        estimate=estimate,
    )
    error = _status(value.breakdown, value.done_time)
    if error is None and value.error_code:
        error = wire.Status(
            code=HTTP_STATUS[value.error_code],
            status=value.error_code,
            message=value.error_message,
            reason=value.error_reason,
            time=value.done_time,
        )
    return wire.Operation(
        name=f"operations/{value.id}", done=value.done, metadata=metadata, error=error, response=response
    )


def usage(left: Balance, projects: dict[str, Micros], always_on: Micros) -> wire.Usage:
    return wire.Usage(
        day=_period(left.day),
        month=_period(left.month),
        hourly=money(left.hourly),
        always_on=money(always_on),
        saved=money(max(0, always_on - left.month.spent)),
        projects={project: money(amount) for project, amount in projects.items()},
    )


def _period(period: Period) -> wire.Period:
    return wire.Period(
        limit=money(period.limit),
        spent=money(period.spent),
        remaining=money(period.remaining),
        reset_time=period.reset_time,
    )


def events(found: Iterable[Event], whole: bool) -> wire.EventList:
    return wire.EventList(events=[_event(event) for event in found], whole=whole)


def _event(event: Event) -> wire.Event:
    return wire.Event(
        n=event.n,
        kind=event.kind,
        state=event.state,
        time=event.time,
        actor=event.actor,
        reason=event.reason or "",
        message=event.message,
        error=_status(event.breakdown, event.time),
        epoch=event.epoch,
        request_id=event.request_id,
        cost=money(event.cost),
        hash=event.hash,
    )
