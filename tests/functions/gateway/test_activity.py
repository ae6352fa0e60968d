"""What counts as activity, what does not, and that writing it down never stands in a request's way."""

from contextlib import suppress
from datetime import timedelta

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from shared.domain.errors import Unavailable
from shared.domain.names import WorkstationId
from shared.domain.workstation import Source
from shared.ports import Batch
from tests.agent.driver import eventually
from tests.functions.gateway.deployment import Deploy, Deployment, Served
from tests.functions.gateway.user_program import program

LATER = timedelta(minutes=4)


def open_socket(deployment: Deployment, id_: WorkstationId, path: str) -> ClientConnection:
    address = f"ws://127.0.0.1:{deployment.gateway.port}/w/{id_}{path}"
    return connect(address, additional_headers=deployment.token(), proxy=None)


def quiet_since_a_while(deploy: Deploy, **settings: str) -> tuple[Deployment, WorkstationId, WorkstationId]:
    """Two workstations; the second one is there to show that what was sent before has been dealt with."""
    deployment = deploy(**settings)
    first, second = deployment.provision(), deployment.provision(name="second")
    deployment.clock.ahead += LATER
    return deployment, first, second


def is_recent(deployment: Deployment, id_: WorkstationId) -> bool:
    return deployment.clock.now() - deployment.record(id_).last_activity.time < LATER / 2


def let_all_be_written(deployment: Deployment, other: WorkstationId) -> None:
    deployment.call("GET", other, "/-/exec")
    eventually(lambda: is_recent(deployment, other))


def test_a_request_is_activity(deploy: Deploy) -> None:
    deployment, id_, _ = quiet_since_a_while(deploy)
    assert deployment.call("GET", id_, "/-/exec").status_code == 200
    eventually(lambda: is_recent(deployment, id_))
    seen = deployment.record(id_)
    assert seen.last_activity.source is Source.REQUEST
    assert seen.attended_time == seen.last_activity.time


def test_asking_how_it_is_is_none(deploy: Deploy) -> None:
    deployment, id_, other = quiet_since_a_while(deploy)
    for path in ("/-/health", "/-/activity", "/healthz"):
        assert deployment.call("GET", id_, path).status_code == 200
    let_all_be_written(deployment, other)
    assert not is_recent(deployment, id_)
    assert deployment.record(id_).hold_until is None


def test_a_silent_websocket_is_none_until_its_client_speaks(deploy: Deploy) -> None:
    deployment, id_, other = quiet_since_a_while(deploy)
    with open_socket(deployment, id_, "/-/terminal") as socket:
        socket.recv(timeout=5)
        let_all_be_written(deployment, other)
        assert not is_recent(deployment, id_)
        socket.send(b"\n")
        eventually(lambda: is_recent(deployment, id_))
    assert deployment.record(id_).last_activity.source is Source.WEBSOCKET


def test_a_websocket_that_the_workstation_closes_is_not_followed_by_a_hold(deploy: Deploy) -> None:
    """A silent terminal is closed by the rest itself, which a new hold would only disturb."""
    deployment, id_, other = quiet_since_a_while(deploy)
    claims = []
    write = deployment.records.write

    def watched(batch: Batch) -> None:
        claims.append((batch.workstation.value.id, batch.workstation.value.hold_until))
        write(batch)

    deployment.records.write = watched  # type: ignore[method-assign]
    with open_socket(deployment, id_, "/-/terminal") as socket:
        socket.recv(timeout=5)
        quiesce = {"idleSeconds": 1, "force": False, "reason": "idle"}
        eventually(lambda: deployment.control(id_, "quiesce", quiesce).is_success)
        with pytest.raises(ConnectionClosed) as closed:
            list(socket)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1012
    let_all_be_written(deployment, other)
    assert not [until for claimed, until in claims if claimed == id_ and until]


def test_a_stream_that_the_workstation_ends_is_none(deploy: Deploy) -> None:
    """Otherwise the closing of an idle page's event stream would call off the rest that closed it."""
    deployment, id_, other = quiet_since_a_while(deploy)
    served = Served(program, deployment.user_port)
    with deployment.http.stream("GET", f"/w/{id_}/silence", headers=deployment.token()) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        eventually(lambda: is_recent(deployment, id_))
        deployment.clock.ahead += LATER
        quiesce = {"idleSeconds": None, "force": True, "reason": "idle"}
        assert deployment.control(id_, "quiesce", quiesce).is_success
        with suppress(httpx2.TransportError):
            list(pieces)
    let_all_be_written(deployment, other)
    assert not is_recent(deployment, id_)
    assert deployment.record(id_).hold_until is None
    served.stop()


def test_many_requests_are_one_write(deploy: Deploy) -> None:
    """Within the window in which touches are coalesced."""
    deployment, id_, other = quiet_since_a_while(deploy)
    deployment.call("GET", id_, "/-/exec")
    eventually(lambda: is_recent(deployment, id_))
    first = deployment.record(id_).last_activity
    deployment.clock.ahead += timedelta(seconds=1)
    for _ in range(20):
        deployment.call("GET", id_, "/-/exec")
    let_all_be_written(deployment, other)
    assert deployment.record(id_).last_activity == first


def test_the_end_of_a_long_request_counts_as_well(deploy: Deploy) -> None:
    deployment, id_, _ = quiet_since_a_while(deploy, AUTO_IDLE_MINUTES="0.05")
    command = {"command": "echo; sleep 1"}
    with deployment.http.stream(
        "POST", f"/w/{id_}/-/exec", json=command, headers=deployment.token()
    ) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        eventually(lambda: is_recent(deployment, id_))
        deployment.clock.ahead += LATER
        list(pieces)
    eventually(lambda: is_recent(deployment, id_))


def test_a_request_does_not_fail_by_it(deploy: Deploy) -> None:
    """The database may be written to or not: who works goes on working."""
    deployment, id_, _ = quiet_since_a_while(deploy)
    tried = []

    def failing(_batch: object) -> None:
        tried.append(1)
        raise Unavailable("The database does not answer.")

    deployment.records.write = failing  # type: ignore[method-assign]
    assert deployment.call("GET", id_, "/-/exec").status_code == 200
    eventually(lambda: bool(tried))
