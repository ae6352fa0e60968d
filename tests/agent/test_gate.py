"""A workstation is empty until it is loaded, and closed while it is being put to sleep."""

import asyncio

import pytest
from agent.clock import ThawedClock
from agent.control.gate import Gate, State
from agent.control.instance import Instance
from agent.settings import read_settings

from tests.agent.driver import SERVICE


def test_a_fresh_instance_is_empty_and_relays_nothing(empty):
    for path in ("/health", "/healthz", "/-/health"):
        health = empty.http.get(path).json()
        assert (health["status"], health["state"], health["epoch"]) == ("healthy", "EMPTY", None)

    answer = empty.http.get("/")

    assert (answer.status_code, answer.headers["retry-after"].isdigit()) == (503, True)
    assert "not loaded" in answer.json()["error"]["message"]


def test_each_process_has_a_boot_id_of_its_own(start_agent):
    boots = [start_agent().http.get("/-/health").json()["bootId"] for _ in range(2)]

    assert boots[0] != boots[1]


def test_loading_twice_is_the_same_as_loading_once(agent):
    (agent.workspace / "mine").write_text("kept")

    assert agent.control("load", {"backup": None}).json()["state"] == "READY"
    assert (agent.workspace / "mine").read_text() == "kept"


def test_an_empty_workspace_cannot_be_quiesced_or_resumed(empty):
    assert empty.control("resume").status_code == 409
    answer = empty.control("quiesce")
    assert (answer.status_code, answer.json()["quiesced"]) == (409, False)
    assert "EMPTY" in answer.json()["reason"]


def test_a_quiesced_workstation_refuses_users_until_it_is_resumed(agent):
    answer = agent.control("quiesce", {"idleSeconds": None, "force": False, "reason": "idle"})
    assert (answer.status_code, answer.json()["quiesced"]) == (200, True)
    assert agent.control("quiesce").status_code == 200
    refused = agent.http.get("/")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert agent.http.get("/-/health").json()["state"] == "QUIESCED"

    assert agent.control("resume").json()["state"] == "READY"
    assert agent.http.get("/").status_code == 502


def test_fresh_activity_refuses_a_quiesce_and_is_told(agent):
    agent.http.get("/")

    answer = agent.control("quiesce", {"idleSeconds": 3600})

    assert answer.status_code == 409
    assert answer.json()["lastActivity"]["source"] == "request"
    assert agent.control("quiesce", {"idleSeconds": 0}).status_code == 200


def test_a_forced_quiesce_needs_a_reason(agent):
    assert agent.control("quiesce", {"force": True}).status_code == 400
    assert agent.control("quiesce", {"force": True, "idleSeconds": 3600, "reason": "cap"}).status_code == 200


def test_every_bad_field_is_named(shared):
    body = {"idleSeconds": -1, "force": "yes", "reason": 3, "extra": 1}
    error = shared.control("quiesce", body).json()["error"]

    violations = error["details"][0]["fieldViolations"]
    assert error["code"] == 400
    assert {violation["field"] for violation in violations} == set(body)


def test_a_path_of_the_agent_that_does_not_exist_is_not_relayed(shared):
    answer = shared.http.get("/-/nothing")

    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_thawed_time_counts_ticks_and_leaves_out_gaps():
    thawed = ThawedClock(100.0)
    assert thawed.advance(101.0) == 1.0
    assert thawed.advance(161.0) == 1.0
    assert thawed.advance(160.0) == 1.0
    assert thawed.advance(162.5) == 2.5


def test_thawed_time_runs_while_nobody_asks(tmp_path):
    """Otherwise a quiesce whose control plane died would last for ever."""
    settings = read_settings({"K_SERVICE": SERVICE, "DORMOUSE_WORKSPACE": str(tmp_path)})

    async def silent():
        instance = Instance(settings)
        ticking = asyncio.create_task(instance.tick())
        await asyncio.sleep(3.2)
        ticking.cancel()
        return instance.thawed

    assert asyncio.run(silent()) > 2.5


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"K_SERVICE": "s", "PORT": "x"},
        {"K_SERVICE": "s", "PORT": "70000"},
        {"K_SERVICE": "s", "DORMOUSE_USER_PORT": "-1"},
    ],
)
def test_an_agent_that_is_set_up_wrongly_says_so_and_does_not_start(environment):
    with pytest.raises(ValueError, match=r"K_SERVICE|PORT"):
        read_settings(environment)


def test_a_missing_workspace_directory_is_made(start_agent, tmp_path):
    agent = start_agent(DORMOUSE_WORKSPACE=str(tmp_path / "not" / "there"))
    agent.load()

    assert agent.http.put("/-/files/a", content=b"x").status_code == 201


def test_a_quiesce_without_progress_ends_after_120_thawed_seconds():
    gate = Gate()
    gate.begin_loading()
    gate.end_loading(loaded=True)
    gate.quiesce(thawed=10)
    assert gate.state(thawed=129) is State.QUIESCED
    gate.progress(thawed=129)
    assert gate.state(thawed=248) is State.QUIESCED

    assert gate.state(thawed=249) is State.READY


def test_a_quiesce_does_not_end_while_a_save_is_at_work():
    gate = Gate()
    gate.quiesce(thawed=0)
    gate.work_begins()
    assert gate.state(thawed=1000) is State.QUIESCED
    gate.work_ends(thawed=1000)
    assert gate.state(thawed=1119) is State.QUIESCED
    assert gate.state(thawed=1120) is State.READY


@pytest.mark.parametrize("epochs", [[3, 2], [0, 0, 5, 4]])
def test_an_older_epoch_is_never_accepted(epochs):
    gate = Gate()
    *accepted, old = epochs

    assert all(gate.accept(epoch) for epoch in accepted)
    assert not gate.accept(old)
    assert gate.epoch == accepted[-1]
