"""What becomes of requests: held, answered, refused and cut, as Cloud Run's front does it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.conformance.check import check
from tests.conformance.cloud_run.data_plane import MINUTE, DataPlane, data_plane
from tests.emulators.cloud_run.driver import automatic, http, manual

# They need a container that does as it is told, and a clock.
pytestmark = pytest.mark.emulator_only

AUTOSCALING = "cloud.google.com/run/docs/about-instance-autoscaling"
TIMEOUT = "cloud.google.com/run/docs/configuring/request-timeout"
SOCKETS = "cloud.google.com/run/docs/triggering/websockets"
CONTRACT = "cloud.google.com/run/docs/container-contract"
QUOTAS = "cloud.google.com/run/quotas"
MANUAL = "cloud.google.com/run/docs/configuring/services/manual-scaling"
MIB = 1 << 20


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    """One emulator for this module."""
    with data_plane(tmp_path_factory.mktemp("front")) as plane:
        yield plane


def socket_of(uri: str) -> str:
    return f"{uri.replace('http', 'ws', 1)}/talk"


@check("RUN-401", source=AUTOSCALING)
def test_a_request_wakes_a_service_that_is_at_zero(plane: DataPlane) -> None:
    """A request to a service without instances is held while one starts, and then answered."""
    uri = plane.serve("wakes", automatic(0, 1))
    assert plane.emulator.instances("wakes") == []
    assert http.get(uri).status_code == 200
    assert len(plane.emulator.instances("wakes")) == 1


@check("RUN-402", source=f"{MANUAL}; and an operator's runbook")
def test_manual_zero_refuses(plane: DataPlane) -> None:
    """A service in manual mode with zero instances answers 503 and starts nothing."""
    uri = plane.serve("off", manual(0))
    assert http.get(uri).status_code == 503
    assert plane.emulator.instances("off") == []
    assert plane.exits("off") == []


@check("RUN-403", source=f"{MANUAL}", assumed=True)
def test_manual_zero_cuts_what_is_open(plane: DataPlane) -> None:
    """A request in flight when a service is set to zero instances is cut with 503 when its instance has ended."""
    uri = plane.serve("cut-off", automatic(1, 1))
    [asking] = plane.at_work("cut-off", uri)
    plane.emulator.scale("cut-off", manual(0))
    assert asking.result().status_code == 503


@check("RUN-404", source=AUTOSCALING)
def test_a_request_without_room_is_429_after_a_minute(plane: DataPlane) -> None:
    """A request for which no instance becomes free waits for up to 60 seconds and is answered 429 then."""
    uri = plane.serve("full", automatic(0, 1), max_instance_request_concurrency=1, timeout="3600s")
    [asking] = plane.at_work("full", uri)
    waiting = plane.waiting("full", uri)
    plane.pass_time(50)
    assert not waiting.done()
    plane.pass_time(11)
    assert waiting.result().status_code == 429
    plane.emulator.scale("full", manual(0))
    asking.result()


@check("RUN-405", source=TIMEOUT)
def test_the_default_timeout_is_five_minutes(plane: DataPlane) -> None:
    """Without a timeout of its own a service's requests are cut after 5 minutes, with 504."""
    uri = plane.serve("default-timeout", automatic(0, 1))
    [asking] = plane.at_work("default-timeout", uri)
    plane.pass_time(4.8 * MINUTE)
    assert not asking.done()
    plane.pass_time(0.3 * MINUTE)
    assert asking.result().status_code == 504


@check("RUN-406", source=TIMEOUT)
def test_the_longest_timeout_is_an_hour(plane: DataPlane) -> None:
    """A request may take an hour where the service says so."""
    uri = plane.serve("an-hour", automatic(0, 1), timeout="3600s")
    [asking] = plane.at_work("an-hour", uri)
    plane.pass_time(59 * MINUTE)
    assert not asking.done()
    plane.pass_time(1 * MINUTE)
    assert asking.result().status_code == 504


@check("RUN-407", source=f"{TIMEOUT}: the container is not ended, and may go on with what it does")
def test_a_cut_request_ends_no_instance(plane: DataPlane) -> None:
    """The timeout of a request ends the request and not the instance."""
    uri = plane.serve("survives", automatic(0, 1))
    first = http.get(uri).json()["pid"]
    [asking] = plane.at_work("survives", uri)
    plane.pass_time(5 * MINUTE)
    assert asking.result().status_code == 504
    assert http.get(uri).json()["pid"] == first


@check("RUN-408", source=SOCKETS)
def test_a_websocket_obeys_the_timeout(plane: DataPlane) -> None:
    """A WebSocket is a long request: it is closed at the request timeout."""
    uri = plane.serve("socket", automatic(0, 1))
    with connect(socket_of(uri)) as socket:
        plane.pass_time(4 * MINUTE)
        socket.send("still here")
        assert socket.recv(timeout=30) == "echo still here"
        plane.pass_time(1 * MINUTE)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=30)


@check("RUN-409", source=f"{SOCKETS}")
def test_a_websocket_takes_a_place_of_the_concurrency(plane: DataPlane) -> None:
    """At a concurrency of 1 and one instance at most, an open WebSocket leaves other requests waiting, up to 429."""
    uri = plane.serve("occupied", automatic(0, 1), max_instance_request_concurrency=1, timeout="3600s")
    with connect(socket_of(uri)) as socket:
        waiting = plane.waiting("occupied", uri)
        plane.pass_time(50)
        assert not waiting.done()
        plane.pass_time(11)
        assert waiting.result().status_code == 429
        socket.send("x")
        assert socket.recv(timeout=30) == "echo x"


@check("RUN-410", source=f"{SOCKETS}: an open WebSocket keeps its instance active")
def test_an_open_websocket_keeps_its_instance(plane: DataPlane) -> None:
    """An instance with an open WebSocket is not idle, however long nothing is said on it."""
    uri = plane.serve("silent", automatic(0, 1), timeout="3600s")
    with connect(socket_of(uri)) as socket:
        plane.pass_time(50 * MINUTE)
        socket.send("x")
        assert socket.recv(timeout=30) == "echo x"
    assert plane.exits("silent") == []


@check("RUN-411", source=f"{QUOTAS}: maximum HTTP/1 request size")
def test_a_request_of_more_than_32_mib_is_refused(plane: DataPlane) -> None:
    """An HTTP/1 request with a body of more than 32 MiB is answered 413."""
    uri = plane.serve("large-in", automatic(0, 1))
    assert http.post(f"{uri}/echo", content=b"x" * MIB).status_code == 200
    assert http.post(f"{uri}/echo", content=b"x" * (32 * MIB + 1)).status_code == 413


@check("RUN-412", source=f"{CONTRACT}, services environment variables")
def test_the_environment_of_a_container(plane: DataPlane) -> None:
    """The container finds PORT, K_SERVICE, K_REVISION and K_CONFIGURATION in its environment."""
    uri = plane.serve("told", automatic(0, 1))
    environment = http.get(uri).json()["environment"]
    revision = plane.emulator.get("told").latest_ready_revision.rpartition("/")[2]
    assert environment["PORT"].isdecimal()
    assert environment["K_SERVICE"] == environment["K_CONFIGURATION"] == "told"
    assert environment["K_REVISION"] == revision


@check("RUN-413", source=f"{CONTRACT}, HTTP requests")
def test_a_container_that_dies_of_a_request(plane: DataPlane) -> None:
    """A request whose container ends without a response is answered 503, and the next one finds a new instance."""
    uri = plane.serve("dies", automatic(0, 1))
    assert http.get(f"{uri}/leave?code=3").status_code == 503
    assert plane.until(lambda: plane.exits("dies"))[0]["code"] == 3
    assert http.get(uri).status_code == 200


@check("RUN-414", source="cloud.google.com/run/docs/configuring/concurrency; k8s_min.py")
def test_one_instance_takes_eighty_requests_at_once(plane: DataPlane) -> None:
    """Where nothing else is said an instance of 1 CPU is given up to 80 requests at once."""
    plane.serve("eighty", automatic(0, 5))
    assert plane.emulator.get("eighty").template.max_instance_request_concurrency == 80
    uri = plane.emulator.get("eighty").uri
    asking = plane.at_work("eighty", uri, 20)
    assert len(plane.emulator.instances("eighty")) == 1
    plane.pass_time(5 * MINUTE)
    assert {one.result().status_code for one in asking} == {504}
