"""Whatever is sent to a workstation is counted, written down in time, once, and beside the requests."""

from datetime import timedelta

import pytest
from websockets.sync.client import connect

from shared.domain.errors import OutcomeUnknown, Unavailable
from shared.domain.names import WorkstationId
from shared.ports import Batch
from tests.agent.driver import eventually
from tests.functions.gateway.deployment import ADA, Deploy, Deployment

SOON = {"AUTO_IDLE_MINUTES": "0.1"}
"""A touch window of 1.2 s."""
LATE = {"AUTO_IDLE_MINUTES": "5"}
"""One of a minute, which no test waits for."""


def requests_of(deployment: Deployment, id_: WorkstationId) -> int:
    """All that the ledger and the open interval have."""
    now = deployment.clock.now()
    rows = deployment.records.ledger(ADA, now - timedelta(days=1), now + timedelta(days=1))
    closed = sum(row.interval.requests for row in rows if row.workstation == id_)
    interval = deployment.record(id_).interval
    return closed + (interval.requests if interval else 0)


def writes_of(deployment: Deployment) -> list[int]:
    """The number of requests in each write from now on."""
    seen: list[int] = []
    write = deployment.records.write

    def watched(batch: Batch) -> None:
        write(batch)
        interval = batch.workstation.value.interval
        seen.append(interval.requests if interval else -1)

    deployment.records.write = watched  # type: ignore[method-assign]
    return seen


def test_requests_are_counted_within_a_window_of_the_last_one(deploy: Deploy) -> None:
    """A hold may follow each of them, which is one more."""
    deployment = deploy(**SOON)
    id_ = deployment.provision()
    for _ in range(30):
        assert deployment.call("GET", id_, "/-/exec").status_code == 200

    eventually(lambda: requests_of(deployment, id_) >= 30)
    assert requests_of(deployment, id_) <= 2 * 30 + 1


def test_probes_are_counted_and_are_no_activity(deploy: Deploy) -> None:
    deployment = deploy(**SOON)
    id_ = deployment.provision()
    before = deployment.record(id_)
    for path in ("/-/health", "/-/activity", "/healthz"):
        for _ in range(5):
            deployment.call("GET", id_, path)

    eventually(lambda: requests_of(deployment, id_) == 15)
    assert deployment.record(id_).last_activity == before.last_activity


def test_a_websocket_is_one_request_however_much_it_carries(deploy: Deploy) -> None:
    deployment = deploy(**SOON)
    id_ = deployment.provision()
    address = f"ws://127.0.0.1:{deployment.gateway.port}/w/{id_}/-/terminal"
    with connect(address, additional_headers=deployment.token(), proxy=None) as socket:
        socket.recv(timeout=5)
        for _ in range(100):
            socket.send(b"\n")
        eventually(lambda: requests_of(deployment, id_) >= 1)

    assert requests_of(deployment, id_) <= 5


def test_a_steady_stream_of_them_is_a_write_in_each_window(deploy: Deploy) -> None:
    """With its touch, not beside it."""
    deployment = deploy(**LATE)
    id_ = deployment.provision()
    deployment.clock.ahead += timedelta(minutes=2)
    written = writes_of(deployment)
    for _ in range(50):
        deployment.call("GET", id_, "/-/exec")
    eventually(lambda: any(requests > 0 for requests in written))

    assert [requests for requests in sorted(set(written)) if requests > 0] == [1]


def test_what_is_left_is_written_when_the_gateway_ends(deploy: Deploy) -> None:
    deployment = deploy(**LATE)
    id_ = deployment.provision()
    for _ in range(20):
        deployment.call("GET", id_, "/-/health")
    assert requests_of(deployment, id_) == 0

    deployment.gateway.stop()
    assert requests_of(deployment, id_) == 20


def test_one_that_stopped_before_they_were_written_pays_for_them_all_the_same(deploy: Deploy) -> None:
    deployment = deploy(**LATE)
    id_ = deployment.provision()
    for _ in range(20):
        deployment.call("GET", id_, "/-/health")
    deployment.stop(id_)

    deployment.gateway.stop()
    assert deployment.record(id_).interval is None
    assert requests_of(deployment, id_) == 20


@pytest.mark.parametrize("error", [Unavailable("No."), OutcomeUnknown("Who knows.")], ids=["lost", "unknown"])
def test_a_database_that_is_away_or_loses_answers_loses_and_doubles_nothing(
    deploy: Deploy, error: Unavailable
) -> None:
    deployment = deploy(**SOON)
    id_ = deployment.provision()
    write, failures = deployment.records.write, [error] * 3

    def unsteady(batch: Batch) -> None:
        if not failures:
            write(batch)
            return
        failure = failures.pop()
        if isinstance(failure, OutcomeUnknown):
            write(batch)
        raise failure

    deployment.records.write = unsteady  # type: ignore[method-assign]
    for _ in range(20):
        assert deployment.call("GET", id_, "/-/health").status_code == 200
    eventually(lambda: len(failures) < 3)
    deployment.gateway.stop()

    assert requests_of(deployment, id_) == 20


def test_a_request_that_meets_a_closed_gate_is_counted_each_time_it_is_sent(deploy: Deploy) -> None:
    """Google asks its fee for what the agent refuses, and for the calls that open the gate."""
    deployment = deploy(**LATE)
    id_ = deployment.provision()
    deployment.control(id_, "quiesce", {"idleSeconds": None, "force": True, "reason": "idle"})
    assert deployment.call("GET", id_, "/-/exec").status_code == 200
    deployment.gateway.stop()

    assert requests_of(deployment, id_) >= 2 + 1
