"""The sweep and the cleanup as Cloud Scheduler calls them, and as nobody else may."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from functions.scheduled import cleanup_application, sweep_application
from shared.domain.errors import Unavailable
from shared.domain.names import Uid
from shared.domain.observed import Scaling, ServiceView
from shared.domain.states import State
from tests.functions.api.conftest import ENVIRON, app_over
from tests.usecases.conftest import World

SCHEDULER = {"authorization": f"Bearer oidc:{ENVIRON['SCHEDULER_SERVICE_ACCOUNT']}"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9")
    return World()


@pytest.fixture(params=[sweep_application, cleanup_application], ids=["sweep", "cleanup"])
def client(request: pytest.FixtureRequest, world: World) -> Iterator[TestClient]:
    app = app_over(world)
    with TestClient(request.param(lambda: app)) as client:
        yield client


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param({}, 401, id="nobody"),
        pytest.param({"authorization": "Bearer a.b.c"}, 401, id="a user"),
        pytest.param(
            {"authorization": f"Bearer oidc:{ENVIRON['RUNTIME_SERVICE_ACCOUNT']}"}, 403, id="a workstation"
        ),
        pytest.param(
            {"authorization": "Bearer oidc:dormouse-api@demo-dormouse.iam.gserviceaccount.com"},
            403,
            id="the api",
        ),
    ],
)
def test_only_the_scheduler_may_start_a_pass(
    client: TestClient, world: World, header: dict[str, str], status: int
) -> None:
    id_ = world.provision()
    world.clock.advance(timedelta(hours=1))

    answer = client.post("/", headers=header)

    assert answer.status_code == status
    assert world.get(id_).state is State.RUNNING, "a refused call has no effect"


@pytest.mark.mission("CLEAN-05", "IDLE-08")
def test_a_pass_answers_with_a_report(client: TestClient) -> None:
    report = client.post("/", headers=SCHEDULER).json()

    assert report["troubles"] == []
    assert {"started", "elapsed"} <= set(report)


def test_a_sweep_says_what_it_moved(world: World) -> None:
    world.provision()
    world.clock.advance(timedelta(minutes=6))
    app = app_over(world)
    with TestClient(sweep_application(lambda: app)) as client:
        report = client.post("/", headers=SCHEDULER).json()

    assert (report["workstations"], report["moved"]) == (1, {"IDLE": 1})


def test_a_cleanup_names_what_it_stopped(world: World) -> None:
    id_ = world.provision()
    world.clock.advance(timedelta(hours=1))
    app = app_over(world)
    with TestClient(cleanup_application(lambda: app)) as client:
        report = client.post("/", headers=SCHEDULER).json()

    assert report["stopped"] == [world.get(id_).service_name]
    assert report["reason"] == "overdue"


def test_a_cleanup_counts_the_orphans_that_it_saw(world: World) -> None:
    stray(world)
    app = app_over(world)
    with TestClient(cleanup_application(lambda: app)) as client:
        first = client.post("/", headers=SCHEDULER).json()
        world.clock.advance(world.policy.orphan_grace)
        second = client.post("/", headers=SCHEDULER).json()

    assert (first["orphans"]["marked"], first["orphans"]["deleted"]) == (["stray"], [])
    assert (second["orphans"]["deleted"], second["orphans"]["reason"]) == (["stray"], "orphan")
    assert first["troubles"] == second["troubles"] == []


def test_a_stray_one_that_runs_without_leave_is_stopped_at_once(world: World) -> None:
    """And deleted in its turn."""
    stray(world, scaling=Scaling.ON, not_after=None)
    app = app_over(world)
    with TestClient(cleanup_application(lambda: app)) as client:
        report = client.post("/", headers=SCHEDULER).json()

    assert (report["stopped"], report["orphans"]["marked"]) == (["stray"], ["stray"])


def test_without_the_database_what_is_overdue_is_stopped_and_no_orphan_is_touched(world: World) -> None:
    id_ = world.provision()
    stray(world)
    world.clock.advance(timedelta(hours=1))

    def dead(_uids: object) -> None:
        raise Unavailable("The database is gone.")

    world.records.lives = dead
    app = app_over(world)
    with TestClient(cleanup_application(lambda: app)) as client:
        report = client.post("/", headers=SCHEDULER).json()

    assert report["stopped"] == [world.get(id_).service_name]
    assert (report["orphans"]["seen"], report["troubles"][0]["message"]) == ([], "The database is gone.")


def stray(world: World, **changes: Any) -> None:
    """A service of ours at MANUAL 0 that has no record."""
    view = ServiceView(
        name="stray",
        etag='"stray"',
        uid=Uid("straystraystraystray"),
        epoch=1,
        not_after=world.clock.now() + timedelta(days=1),
        scaling=Scaling.OFF,
        settled=True,
        changed_at=world.clock.now(),
        uri="https://stray.memory.test",
    )
    world.services.put("demo/europe-west1", replace(view, **changes))
