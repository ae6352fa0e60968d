"""A workstation that cannot run says why, what to do and when it is tried again: in its JSON, its operation, its log."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.breakdown import Breakdown, Cause
from shared.domain.names import WorkstationId
from tests.functions.api.conftest import Api
from tests.usecases.conftest import MINUTE

WHY = Breakdown(Cause.EXITED_AT_START, "Exit code 3.", ("no module named app",))


@pytest.fixture
def id_(api: Api) -> str:
    """A stopped one; what it is woken to breaks down."""
    id_ = api.provision()
    stopping = api.call("POST", f"/v1/workstations/{id_}:stop").json()
    api.world.clock.advance(MINUTE)
    api.call("POST", f"/v1/{stopping['name']}:wait")
    return id_


def break_down(api: Api, id_: str) -> dict[str, Any]:
    """Wake it, and have the platform say that it does not run; the wake's operation."""
    api.world.services.settle_after = MINUTE
    waking = api.call("POST", f"/v1/workstations/{id_}:wake?timeout=0s").json()
    assert not waking["done"]
    api.world.services.settle_after = timedelta(0)
    record = api.world.get(WorkstationId(id_))
    api.world.services.break_down(record.cell, record.service_name or "", WHY)
    api.world.converge(record.id)
    return dict(waking)


@pytest.mark.mission("LIFE-13", "LIFE-11")
def test_a_workstation_shows_its_error_its_failures_and_its_next_try(api: Api, id_: str) -> None:
    break_down(api, id_)

    shown = api.call("GET", f"/v1/workstations/{id_}").json()

    assert (shown["state"], shown["reason"], shown["failures"]) == ("ERROR", "start_failed", 1)
    error = shown["error"]
    assert (error["code"], error["status"], error["reason"]) == (503, "UNAVAILABLE", "EXITED_AT_START")
    assert (error["domain"], error["log"]) == ("dormouse", ["no module named app"])
    assert error["message"] == "Its container ended while it was starting. Exit code 3."
    assert "last lines of its log" in error["help"]
    assert error["time"] == shown["stateTime"]
    assert shown["retryTime"] > error["time"]


def test_what_is_well_shows_no_error(api: Api) -> None:
    shown = api.call("GET", f"/v1/workstations/{api.provision()}").json()

    assert (shown["error"], shown["failures"], shown["retryTime"]) == (None, 0, None)


def test_an_operation_that_ends_in_an_error_says_the_same(api: Api, id_: str) -> None:
    """Also once the workstation has moved on."""
    waking = break_down(api, id_)
    shown = api.call("GET", f"/v1/workstations/{id_}").json()
    api.world.clock.advance(2 * MINUTE)
    api.world.sweep()

    operation = api.call("GET", f"/v1/{waking['name']}").json()

    assert (operation["done"], operation["error"]) == (True, shown["error"])


def test_the_log_of_events_keeps_each_failure_and_stays_whole(api: Api, id_: str) -> None:
    break_down(api, id_)

    log = api.call("GET", f"/v1/workstations/{id_}/events").json()

    failed = next(event for event in log["events"] if event["kind"] == "failed")
    assert (failed["error"]["reason"], failed["error"]["log"]) == ("EXITED_AT_START", ["no module named app"])
    assert log["whole"]
    assert [event["error"] for event in log["events"] if event["kind"] != "failed"] == [None] * (
        len(log["events"]) - 1
    )


def test_the_error_goes_when_it_runs_again(api: Api, id_: str) -> None:
    break_down(api, id_)
    api.world.clock.advance(2 * MINUTE)
    api.world.sweep()
    api.world.sweep()

    shown = api.call("GET", f"/v1/workstations/{id_}").json()

    assert (shown["state"], shown["error"], shown["retryTime"]) == ("RUNNING", None, None)
