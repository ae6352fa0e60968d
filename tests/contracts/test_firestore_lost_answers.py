"""An answer that is lost is not a write that failed, and a write that failed is not one that worked."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.batch import WriteBatch

from shared.adapters.firestore.records import FirestoreRecords
from shared.domain.errors import AlreadyExists, OutcomeUnknown, StaleWrite, Unavailable
from shared.ports import Batch, Records, Stored
from tests.builders import (
    ADA,
    NOW,
    UID,
    a_ledger_row,
    a_request,
    a_user,
    a_workstation,
    an_event,
    an_interval,
)
from tests.contracts.unsteady_line import Line

pytestmark = pytest.mark.firestore

ID = a_workstation().id
LOSSES = [
    exceptions.DeadlineExceeded("late"),
    exceptions.ServiceUnavailable("gone"),
    exceptions.InternalServerError("oops"),
    exceptions.Unknown("?"),
    exceptions.Cancelled("cancelled"),
    ConnectionResetError("reset"),
]
CONTENTION = exceptions.Aborted("too much contention")


class LossyBatch(WriteBatch):  # type: ignore[misc]
    """The stock batch on a line that fails once."""

    def commit(self, **options: Any) -> Any:
        failure, worked = self._client.fault or (None, True)
        self._client.fault = None
        if worked:
            results = super().commit(**options)
        if failure:
            raise failure
        return results


class LossyClient(firestore.Client):  # type: ignore[misc]
    """The stock client; `fault` is what the next commit raises, and whether it works before that."""

    fault: tuple[Exception, bool] | None = None

    def batch(self) -> WriteBatch:
        return LossyBatch(self)


@pytest.fixture
def client(connect: Callable[..., LossyClient]) -> LossyClient:
    return connect(LossyClient)


@pytest.fixture
def records(client: LossyClient) -> Records:
    return FirestoreRecords(client)


@pytest.fixture
def rival(connect: Any) -> Records:
    """Somebody else on the same database, on a line without faults."""
    return FirestoreRecords(connect())


def first(**parts: Any) -> Batch:
    return Batch(workstation=Stored(a_workstation(), None), **{"event": an_event(), **parts})


def next_(records: Records, message: str = "next", **parts: Any) -> Batch:
    found = records.workstation(ID)
    assert found is not None
    return Batch(
        workstation=Stored(a_workstation(message=message), found.version), **{"event": an_event(n=2), **parts}
    )


@pytest.mark.parametrize("loss", [*LOSSES, CONTENTION], ids=lambda loss: type(loss).__name__)
def test_a_write_that_worked_returns_though_its_answer_was_lost(
    records: Records, client: LossyClient, loss: Exception
) -> None:
    records.write(first())
    batch = next_(records, intervals=[an_interval()], user=Stored(a_user(), None), request=a_request())
    client.fault = (loss, True)
    records.write(batch)
    assert [event.n for event in records.events(ID, UID)] == [1, 2]


def test_a_create_that_worked_returns_though_its_answer_was_lost(
    records: Records, client: LossyClient
) -> None:
    """Its workstation and its request exist by then, but they are its own."""
    client.fault = (LOSSES[0], True)
    records.write(first(request=a_request()))
    assert records.request("key-1") == a_request()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_write_that_did_not_work_says_that_nobody_knows(
    records: Records, client: LossyClient, loss: Exception
) -> None:
    """Its event is absent, but the commit may be on its way still."""
    records.write(first())
    batch = next_(records)
    client.fault = (loss, False)
    with pytest.raises(OutcomeUnknown):
        records.write(batch)
    assert len(records.events(ID, UID)) == 1
    records.write(batch)
    assert len(records.events(ID, UID)) == 2


def test_a_refused_write_says_that_nothing_was_written(records: Records, client: LossyClient) -> None:
    client.fault = (exceptions.PermissionDenied("no"), False)
    with pytest.raises(Unavailable) as caught:
        records.write(first())
    assert type(caught.value) is Unavailable
    assert caught.value.reason == "DATABASE_REFUSED"


def test_contention_is_a_lost_race(records: Records, client: LossyClient) -> None:
    records.write(first())
    batch = next_(records)
    client.fault = (CONTENTION, False)
    with pytest.raises(StaleWrite):
        records.write(batch)


def test_a_rivals_event_in_ones_place_is_a_lost_race_not_a_success(
    records: Records, rival: Records, client: LossyClient
) -> None:
    """The two events differ in nothing but who wrote them."""
    records.write(first())
    batch = next_(records)
    rival.write(batch)
    client.fault = (LOSSES[0], False)
    with pytest.raises(StaleWrite):
        records.write(batch)


def test_a_rivals_create_in_ones_place_exists_already(
    records: Records, rival: Records, client: LossyClient
) -> None:
    rival.write(first())
    client.fault = (LOSSES[0], False)
    with pytest.raises(AlreadyExists) as caught:
        records.write(first())
    assert caught.value.reason == "WORKSTATION_EXISTS"


def test_a_rivals_request_in_ones_place_is_a_repetition(
    records: Records, rival: Records, client: LossyClient
) -> None:
    rival.write(first(request=a_request()))
    client.fault = (LOSSES[0], False)
    with pytest.raises(AlreadyExists) as caught:
        records.write(next_(records, request=a_request()))
    assert caught.value.reason == "REQUEST_EXISTS"


@pytest.mark.parametrize("worked", [True, False])
def test_without_an_event_nobody_can_know(records: Records, client: LossyClient, worked: bool) -> None:
    """Even the request, if it is there, may be one's own."""
    records.write(first())
    batch = next_(records, event=None, request=a_request())
    client.fault = (LOSSES[0], worked)
    with pytest.raises(OutcomeUnknown):
        records.write(batch)
    assert (records.request("key-1") is not None) is worked


@pytest.mark.parametrize("worked", [True, False])
def test_saving_a_budget_and_purging_say_that_nobody_knows(
    records: Records, client: LossyClient, worked: bool
) -> None:
    records.write(first())
    found = records.workstation(ID)
    assert found is not None
    client.fault = (LOSSES[1], worked)
    with pytest.raises(OutcomeUnknown):
        records.save_user(Stored(a_user(), None))
    client.fault = (LOSSES[1], worked)
    with pytest.raises(OutcomeUnknown):
        records.purge(found)
    assert (records.user(ADA).version is not None, records.workstation(ID) is None) == (worked, worked)


@pytest.mark.parametrize("loss", [*LOSSES, CONTENTION], ids=lambda loss: type(loss).__name__)
def test_a_row_of_its_own_that_was_written_returns_though_its_answer_was_lost(
    records: Records, client: LossyClient, loss: Exception
) -> None:
    client.fault = (loss, True)
    records.book(a_ledger_row(), Stored(a_user(days={"2026-11-05": 3}), None))
    assert records.user(ADA).value.days == {"2026-11-05": 3}


def test_a_row_of_its_own_that_was_not_written_says_so(records: Records, client: LossyClient) -> None:
    client.fault = (LOSSES[0], False)
    with pytest.raises(OutcomeUnknown):
        records.book(a_ledger_row(), Stored(a_user(), None))
    records.book(a_ledger_row(), Stored(a_user(), None))


@pytest.fixture
def line(firestore_host: str) -> Iterator[Line]:
    line = Line(firestore_host)
    yield line
    line.close()


def test_a_connection_that_breaks_after_the_effect_loses_nothing(
    connect: Any, line: Line, rival: Records
) -> None:
    """The same with the stock client on a real connection: the database acts, and its answer never arrives."""
    records = FirestoreRecords(connect(host=line.address))
    records.write(first())
    batch = next_(records)
    line.swallow_answers()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(records.write, batch)
        deadline = time.monotonic() + 4
        while len(rival.events(ID, UID)) < 2:
            assert time.monotonic() < deadline, "the write never reached the database"
        line.break_()
        line.mend()
        assert writing.result(20) is None
    assert [event.n for event in records.events(ID, UID)] == [1, 2]


def test_a_read_outlives_a_short_outage(connect: Any, line: Line) -> None:
    records = FirestoreRecords(connect(host=line.address))
    records.write(first())
    line.break_()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(records.workstation, ID)
        assert line.refused.wait(5)
        line.mend()
        found = reading.result(20)
    assert found is not None
    assert found.value == a_workstation()


CALLS: list[Callable[[Records], object]] = [
    lambda records: records.workstation(ID),
    lambda records: records.due_workstations(NOW, 10),
    lambda records: records.write(first()),
    lambda records: records.save_user(Stored(a_user(), None)),
]


def test_without_a_database_every_call_ends_within_seconds(connect: Any) -> None:
    """Whether nobody listens or somebody who never says a word; the stock client waits for five minutes."""

    def outcome(call: Callable[[Records], object], records: Records) -> tuple[Exception | None, float]:
        begun = time.monotonic()
        try:
            call(records)
        except Exception as error:
            return error, time.monotonic() - begun
        return None, 0

    with socket.create_server(("127.0.0.1", 0)) as absent:
        nobody = absent.getsockname()
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(8) as pool:
        lines = [
            FirestoreRecords(connect(host=f"{host}:{port}")) for host, port in (nobody, silent.getsockname())
        ]
        running = [pool.submit(outcome, call, records) for call in CALLS for records in lines]
        outcomes = [each.result() for each in running]
    assert all(isinstance(error, Unavailable) and error.retry_after for error, _ in outcomes), outcomes
    assert max(seconds for _, seconds in outcomes) < 20
