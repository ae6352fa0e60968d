"""Records that are whole and legal, of which a test names only what it is about: `a_workstation(state=State.IDLE)`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.budget import Reservation, User
from shared.domain.events import Event
from shared.domain.money import HourlyRate, Micros
from shared.domain.names import Owner, Uid, project_key, workstation_id
from shared.domain.operations import Operation, Verb
from shared.domain.quantities import MemoryMib, MilliCpu
from shared.domain.rates import Card, rate_for
from shared.domain.sizes import Size
from shared.domain.states import Kind, State
from shared.domain.usage import Interval, OpenInterval, Usage
from shared.domain.workstation import Activity, Backup, Source, Spec, Workstation
from shared.ports import LedgerRow, Request

NOW = datetime(2026, 11, 5, 12, 0, 0, 123456, tzinfo=UTC)
ADA = Owner("ada")
UID = Uid("aaaaaaaaaaaaaaaaaaaa")
SIZE = Size(MilliCpu(1000), MemoryMib(512))


def a_spec(**overrides: Any) -> Spec:
    spec = Spec(
        template="python",
        image="registry.example/python@sha256:" + "0" * 64,
        size_name="light",
        size=SIZE,
        port=3000,
    )
    return replace(spec, **overrides)


def a_workstation(
    owner: str = ADA, project: str = "demo", name: str = "main", **overrides: Any
) -> Workstation:
    """A RUNNING one; its id and project key follow from owner, project and name."""
    workstation = Workstation(
        id=workstation_id(Owner(owner), project, name),
        uid=UID,
        owner=Owner(owner),
        project=project,
        project_key=project_key(Owner(owner), project),
        name=name,
        spec=a_spec(),
        rate=rate_for(Card.LIST, SIZE, "europe-west1"),
        cell="here",
        create_time=NOW,
        update_time=NOW,
        state=State.RUNNING,
        state_time=NOW,
        last_activity=Activity(NOW, Source.API),
        attended_time=NOW,
        epoch=1,
    )
    return replace(workstation, **overrides)


def a_user(owner: str = ADA, **overrides: Any) -> User:
    return replace(User(owner=Owner(owner)), **overrides)


def a_reservation(**overrides: Any) -> Reservation:
    reservation = Reservation(
        rate=HourlyRate(100_000), since=NOW, until=NOW + timedelta(minutes=20), margin=Micros(2_000)
    )
    return replace(reservation, **overrides)


def a_backup(**overrides: Any) -> Backup:
    backup = Backup(object_name=f"{UID}/1.tar.zst", time=NOW, sha256="f" * 64, size=1_000, files=3, epoch=1)
    return replace(backup, **overrides)


def an_open_interval(**overrides: Any) -> OpenInterval:
    interval = OpenInterval(usage=Usage.ACTIVE, rate=HourlyRate(100_000), start=NOW, epoch=1, n=1)
    return replace(interval, **overrides)


def an_interval(**overrides: Any) -> Interval:
    interval = Interval(
        uid=UID,
        epoch=1,
        n=1,
        usage=Usage.ACTIVE,
        rate=HourlyRate(100_000),
        start=NOW,
        end=NOW + timedelta(minutes=1),
        amount=Micros(1_666),
        cause="running",
    )
    return replace(interval, **overrides)


def a_ledger_row(interval: Interval | None = None, workstation: Workstation | None = None) -> LedgerRow:
    whose = workstation or a_workstation()
    return LedgerRow(
        interval=interval or an_interval(), owner=whose.owner, project=whose.project, workstation=whose.id
    )


def an_event(**overrides: Any) -> Event:
    """The first of its life unless told otherwise; its hash is right."""
    event = Event(
        uid=UID,
        n=1,
        kind=Kind.CREATED,
        state=State.PENDING,
        time=NOW,
        actor=ADA,
        reason=None,
        message="",
        epoch=1,
        request_id="",
        cost=Micros(0),
        previous_hash="",
    )
    event = replace(event, **overrides)
    return replace(event, hash=event.digest())


def an_operation(**overrides: Any) -> Operation:
    operation = Operation(
        id="op-1",
        owner=ADA,
        workstation=workstation_id(ADA, "demo", "main"),
        uid=UID,
        verb=Verb.CREATE,
        create_time=NOW,
    )
    return replace(operation, **overrides)


def a_request(**overrides: Any) -> Request:
    request = Request(
        key="key-1", owner=ADA, body_hash="b" * 64, operation="op-1", expire_time=NOW + timedelta(hours=24)
    )
    return replace(request, **overrides)
