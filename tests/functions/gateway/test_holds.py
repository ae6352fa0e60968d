"""Work without a client keeps its CPU: one gateway holds a request open while anything is busy, and no longer."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from shared.domain.errors import Unavailable
from shared.domain.names import WorkstationId
from shared.domain.workstation import Source
from shared.usecases import stop
from tests.agent.driver import eventually
from tests.functions.gateway.deployment import GATEWAY, SWEEP, Deploy, Deployment

SHORT = {"AUTO_IDLE_MINUTES": "0.05"}
"""So that touches and renewals are written every 0.6 s."""


class Busy:
    """An agent as far as a hold can see it; a test says when it is busy."""

    def __init__(self) -> None:
        self.report: dict[str, Any] = {"busy": "YES", "causes": [{"source": "process", "name": "make all"}]}
        self.calls: list[tuple[dict[str, str], Any]] = []
        self.open = 0
        self.app = Starlette(routes=[Route("/-/hold", self._hold, methods=["POST"])])

    async def _hold(self, request: Request) -> Response:
        self.calls.append((dict(request.headers), await request.json()))
        return StreamingResponse(self._lines(request))

    async def _lines(self, request: Request) -> AsyncIterator[str]:
        self.open += 1
        try:
            while not await request.is_disconnected():
                yield json.dumps(self.report) + "\n"
                if self.report["busy"] == "NO":
                    return
                await asyncio.sleep(0.02)
        finally:
            self.open -= 1


@pytest.fixture
def held(deploy: Deploy, serve: Any) -> tuple[Deployment, WorkstationId, Busy]:
    """A workstation whose agent is a Busy one."""
    deployment, busy = deploy(**SHORT), Busy()
    id_ = deployment.provision()
    deployment.amend(id_, uri=serve(busy.app).url)
    return deployment, id_, busy


def ask_for_a_hold(deployment: Deployment, id_: WorkstationId) -> int:
    token = deployment.signer.token(aud=deployment.url, email=SWEEP)
    return deployment.http.post(f"/-/holds/{id_}", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_hold_stands_in_the_record_when_it_is_answered(
    held: tuple[Deployment, WorkstationId, Busy],
) -> None:
    deployment, id_, busy = held
    assert ask_for_a_hold(deployment, id_) == 200
    hold_until = deployment.record(id_).hold_until
    assert hold_until
    assert hold_until > deployment.clock.now() + timedelta(minutes=1)
    eventually(lambda: busy.open == 1)


def test_the_control_plane_asks_for_it_by_its_port(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    """As the sweep does, with its own token."""
    deployment, id_, busy = held
    deployment.deps.holds.begin(id_)
    eventually(lambda: busy.open == 1)


def test_it_is_asked_for_by_both_tokens(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    """One for the platform, and one for this agent in this epoch."""
    deployment, id_, busy = held
    ask_for_a_hold(deployment, id_)
    eventually(lambda: bool(busy.calls))
    (headers, body), found = busy.calls[0], deployment.record(id_)
    identity = deployment.gateway_identity()
    for name, audience in {
        "x-serverless-authorization": str(found.uri),
        "dormouse-authorization": f"dormouse://{found.service_name}/epochs/{found.epoch}",
    }.items():
        assert identity.verify(headers[name].removeprefix("Bearer "), audience) == GATEWAY
    assert body["maxSeconds"] == 3600


def test_fifty_askers_share_one(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    deployment, id_, busy = held
    with ThreadPoolExecutor(20) as crowd:
        assert set(crowd.map(lambda _: ask_for_a_hold(deployment, id_), range(50))) == {200}
    eventually(lambda: busy.open == 1)
    assert len(busy.calls) == 1


def test_while_it_lasts_it_is_renewed_and_its_cause_is_activity(
    held: tuple[Deployment, WorkstationId, Busy],
) -> None:
    deployment, id_, _ = held
    ask_for_a_hold(deployment, id_)
    first = deployment.record(id_)
    assert first.hold_until
    eventually(lambda: deployment.record(id_).last_activity.source is Source.PROCESS)
    seen = deployment.record(id_)
    assert seen.last_activity.cause == "make all"
    assert seen.hold_until
    assert seen.hold_until > first.hold_until
    assert seen.attended_time == first.attended_time, "nobody was there"


def test_it_ends_when_nothing_is_busy_and_is_released(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    deployment, id_, busy = held
    ask_for_a_hold(deployment, id_)
    eventually(lambda: busy.open == 1)
    busy.report = {"busy": "NO", "causes": []}
    eventually(lambda: busy.open == 0)
    eventually(lambda: deployment.record(id_).hold_until is None)
    assert len(busy.calls) == 1


def test_another_holder_is_left_alone(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    """One gateway instance at a time; when the other's claim has lapsed, ours begins."""
    deployment, id_, busy = held
    theirs = deployment.clock.now() + timedelta(minutes=2)
    deployment.amend(id_, hold_until=theirs)
    assert ask_for_a_hold(deployment, id_) == 200
    assert deployment.record(id_).hold_until == theirs
    assert not busy.calls
    deployment.clock.ahead += timedelta(minutes=3)
    assert ask_for_a_hold(deployment, id_) == 200
    eventually(lambda: busy.open == 1)


def test_a_holder_that_was_overtaken_lets_go(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    deployment, id_, busy = held
    ask_for_a_hold(deployment, id_)
    eventually(lambda: busy.open == 1)

    def overtake() -> bool:
        from shared.domain.errors import StaleWrite  # noqa: PLC0415

        try:
            deployment.amend(id_, hold_until=deployment.clock.now() + timedelta(hours=1))
        except StaleWrite:
            return False
        return True

    eventually(overtake)
    theirs = deployment.record(id_).hold_until
    eventually(lambda: busy.open == 0)
    assert deployment.record(id_).hold_until == theirs


def test_it_ends_when_the_workstation_stops(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    deployment, id_, busy = held
    ask_for_a_hold(deployment, id_)
    eventually(lambda: busy.open == 1)
    stop.stop(deployment.deps, deployment.asker(), id_)
    eventually(lambda: busy.open == 0)
    assert deployment.record(id_).hold_until is None
    assert ask_for_a_hold(deployment, id_) == 400
    with pytest.raises(Unavailable):
        deployment.deps.holds.begin(id_)


def test_nonsense_instead_of_reports_ends_it(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    """What answers may be the tenant's program; it is not held by babble."""
    deployment, id_, busy = held
    busy.report = {"busy": "FOREVER"}
    ask_for_a_hold(deployment, id_)
    eventually(lambda: bool(busy.calls) and busy.open == 0)
    eventually(lambda: deployment.record(id_).hold_until is None)


def test_a_gateway_that_goes_gives_its_holds_up(held: tuple[Deployment, WorkstationId, Busy]) -> None:
    deployment, id_, busy = held
    ask_for_a_hold(deployment, id_)
    eventually(lambda: busy.open == 1)
    deployment.gateway.stop()
    assert deployment.record(id_).hold_until is None
    eventually(lambda: busy.open == 0)


def test_a_command_is_held_after_its_client_has_gone(deploy: Deploy) -> None:
    """With a real agent: claimed when the client leaves, counted while it works, released after it has ended."""
    deployment = deploy(**SHORT)
    id_ = deployment.provision()
    command = {"command": ["python3", "-c", "import time\nprint(1, flush=True)\ntime.sleep(5)"]}
    with deployment.http.stream(
        "POST", f"/w/{id_}/-/exec", json=command, headers=deployment.token()
    ) as answer:
        output = answer.iter_raw()  # kept: an iterator that is let go closes the stream
        next(output)
        assert deployment.record(id_).hold_until is None
    eventually(lambda: deployment.record(id_).hold_until is not None)
    eventually(lambda: deployment.record(id_).last_activity.source is Source.PROCESS)
    assert "python3" in deployment.record(id_).last_activity.cause
    eventually(lambda: deployment.record(id_).hold_until is None, 30)
    assert deployment.agent(id_, "/-/activity")["busy"] == "NO"
