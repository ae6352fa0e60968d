"""A request makes its workstation run, once however many come, and says what is missing where it cannot."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.domain.breakdown import Breakdown, Cause
from shared.domain.catalog import Wish
from shared.domain.errors import Unavailable
from shared.domain.states import State
from shared.usecases import provision, stop
from tests.agent.driver import eventually
from tests.functions.gateway.deployment import Deploy, Deployment


def error_info(answer) -> dict[str, str]:
    """Reason and metadata together."""
    info = answer.json()["error"]["details"][0]
    return {"reason": info["reason"], **info["metadata"]}


def look(deployment: Deployment, id_: str):
    """A request that the agent itself answers, so that no program has to run."""
    return deployment.call("GET", id_, "/-/exec")


@pytest.mark.mission("WAKE-01", "WAKE-06")
def test_fifty_requests_at_once_make_one_start(deploy: Deploy) -> None:
    """All of them are answered, by the one instance."""
    deployment = deploy()
    id_ = deployment.provision()
    deployment.stop(id_)
    before = len(deployment.platform.starts)
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda _: look(deployment, id_).status_code, range(50)))
    assert answers == [200] * 50
    assert len(deployment.platform.starts) == before + 1
    assert deployment.kinds(id_).count("woken") == 1


def test_a_websocket_wakes_too(deploy: Deploy) -> None:
    from websockets.sync.client import connect  # noqa: PLC0415

    deployment = deploy()
    id_ = deployment.provision()
    deployment.stop(id_)
    address = f"ws://127.0.0.1:{deployment.gateway.port}/w/{id_}/-/terminal"
    with connect(address, additional_headers=deployment.token(), proxy=None, open_timeout=20) as socket:
        assert "offset" in socket.recv(timeout=5)


def test_a_request_that_meets_a_stop_is_held_and_served_afterwards(deploy: Deploy) -> None:
    deployment = deploy()
    id_ = deployment.provision()
    stop.stop(deployment.deps, deployment.asker(), id_)
    assert deployment.record(id_).state is State.STOPPING
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(look, deployment, id_)
        eventually(lambda: deployment.record(id_).wake_pending)
        deployment.clock.ahead += timedelta(seconds=11)
        assert answer.result(30).status_code == 200
    assert deployment.kinds(id_)[-4:] == ["stop_begun", "stopped", "woken", "started"]


@pytest.mark.mission("WAKE-15")
def test_an_idle_one_is_resumed(deploy: Deploy) -> None:
    """Its agent was put to sleep; the request is served all the same."""
    deployment = deploy()
    id_ = deployment.provision()
    assert deployment.control(
        id_, "quiesce", {"idleSeconds": None, "force": True, "reason": "idle"}
    ).is_success
    deployment.amend(id_, state=State.IDLE)
    assert look(deployment, id_).status_code == 200
    assert deployment.record(id_).state is State.RUNNING


@pytest.mark.mission("CONF-10")
def test_where_requests_start_nothing_the_call_that_does_is_named(deploy: Deploy) -> None:
    deployment = deploy(CONTAINER_AUTO_START="false")
    id_ = deployment.provision()
    deployment.stop(id_)
    answer = look(deployment, id_)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "FAILED_PRECONDITION"
    assert f"POST /v1/workstations/{id_}:wake" in answer.json()["error"]["message"]
    assert deployment.record(id_).state is State.STOPPED


def test_a_probe_wakes_nothing(deploy: Deploy) -> None:
    """A dashboard that asks how it is must not keep it awake."""
    deployment = deploy()
    id_ = deployment.provision()
    deployment.stop(id_)
    answer = deployment.call("GET", id_, "/-/health")
    assert (answer.status_code, error_info(answer)["state"]) == (400, "STOPPED")
    assert deployment.record(id_).state is State.STOPPED


@pytest.mark.mission("WAKE-08", "CONF-15")
def test_past_the_startup_timeout_it_says_what_is_missing(deploy: Deploy) -> None:
    """503 with Retry-After; the start goes on, or is given up in the same moment."""
    deployment = deploy(CONTAINER_STARTUP_TIMEOUT="2")
    deployment.platform.start = lambda _name: None  # type: ignore[method-assign]
    wish = Wish(project="demo", name="main")
    id_ = provision.provision(deployment.deps, deployment.asker(), wish).workstation
    answer = look(deployment, id_)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    info = error_info(answer)
    assert (info["state"], info["reason"]) in (("STARTING", "NOT_READY"), ("ERROR", "STARTUP_TIMEOUT"))
    assert info.get("stages") or info["retryTime"]


BROKEN = Breakdown(
    Cause.OUT_OF_MEMORY, "Memory limit of 512 MiB exceeded.", ("loading the model", "MemoryError")
)


def breaks_down(deployment: Deployment, id_, monkeypatch) -> None:
    """From now on each start of it is one too many for its memory."""
    found = deployment.record(id_)

    def start(name: str) -> None:
        deployment.platform.starts.append(name)
        deployment.platform.break_down(found.cell, name, BROKEN)

    monkeypatch.setattr(deployment.platform, "start", start)


@pytest.mark.mission("WAKE-07")
def test_a_start_that_fails_is_told_at_once_and_not_tried_again_by_who_asks(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tab that asks every second starts nothing: what broke is tried again in its own time."""
    deployment = deploy()
    id_ = deployment.provision()
    deployment.stop(id_)
    breaks_down(deployment, id_, monkeypatch)
    before = len(deployment.platform.starts)
    answers = [look(deployment, id_) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {503}
    assert deployment.kinds(id_).count("woken") == 1
    assert len(deployment.platform.starts) == before + 1


def test_a_broken_one_says_why_what_to_do_and_when_it_is_tried_again(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy()
    id_ = deployment.provision()
    deployment.stop(id_)
    breaks_down(deployment, id_, monkeypatch)
    answer = look(deployment, id_)
    info, error = error_info(answer), answer.json()["error"]
    told = {detail["@type"].rsplit(".", 1)[1]: detail for detail in error["details"]}
    assert (answer.status_code, error["status"]) == (503, "UNAVAILABLE")
    assert (info["reason"], info["because"], info["failures"]) == ("OUT_OF_MEMORY", "oom", "1")
    assert "Memory limit of 512 MiB exceeded." in error["message"]
    assert info["retryTime"] in error["message"]
    assert "larger size" in told["LocalizedMessage"]["message"]
    assert told["DebugInfo"]["stackEntries"] == ["loading the model", "MemoryError"]
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert deployment.call("GET", id_, "/-/health").status_code == 503


def test_a_broken_one_whose_time_has_come_is_tried_again_by_a_request(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy()
    id_ = deployment.provision()
    deployment.stop(id_)
    with monkeypatch.context() as patch:
        breaks_down(deployment, id_, patch)
        assert look(deployment, id_).status_code == 503
    deployment.clock.ahead += timedelta(minutes=2)
    assert look(deployment, id_).status_code == 200
    assert deployment.record(id_).breakdown is None


def test_one_that_waits_for_its_user_names_the_call_that_wakes_it(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy()
    id_ = deployment.provision()
    deployment.stop(id_)
    breaks_down(deployment, id_, monkeypatch)
    look(deployment, id_)
    deployment.amend(id_, retry_at=None, failures=6)
    answer = look(deployment, id_)
    assert answer.status_code == 503
    assert f"POST /v1/workstations/{id_}:wake" in answer.json()["error"]["message"]
    assert int(answer.headers["retry-after"]) == 1800


def test_at_the_cap_it_says_what_is_spent_and_when_it_resets(deploy: Deploy) -> None:
    """Also to fifty at once, none of which starts anything."""
    deployment = deploy(DAILY_COST_LIMIT="0.05")
    id_ = deployment.provision()
    deployment.clock.ahead += timedelta(hours=1)
    deployment.stop(id_)
    before = len(deployment.platform.starts)
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: look(deployment, id_), range(20)))
    assert {answer.status_code for answer in answers} == {429}
    info = error_info(answers[0])
    assert info["limitMicros"] == "50000"
    assert int(info["spentMicros"]) > 0
    assert info["resetTime"].endswith("Z")
    assert len(deployment.platform.starts) == before


def test_a_trouble_of_the_platforms_is_not_an_error_of_ours(deploy: Deploy) -> None:
    """Where the Admin API does not answer for a moment, the request waits it out."""
    deployment = deploy()
    id_ = deployment.provision()
    deployment.stop(id_)
    get, failures = deployment.platform.get, iter(range(3))

    def failing(cell: str, name: str):
        if next(failures, None) is not None:
            raise Unavailable("The Admin API does not answer.")
        return get(cell, name)

    deployment.platform.get = failing  # type: ignore[method-assign]
    assert look(deployment, id_).status_code == 200


def test_others_are_served_while_one_waits(deploy: Deploy) -> None:
    """Eighty waiting requests hold no thread, of which there are forty."""
    deployment = deploy(CONTAINER_STARTUP_TIMEOUT="4")
    id_, other = deployment.provision(), deployment.provision(name="other")
    deployment.stop(id_)
    deployment.settle(other, State.RUNNING)
    deployment.platform.start = lambda _name: None  # type: ignore[method-assign]
    waiting = [threading.Thread(target=look, args=(deployment, id_)) for _ in range(80)]
    for one in waiting:
        one.start()
    eventually(lambda: deployment.record(id_).state is State.STARTING)
    begun = time.monotonic()
    assert look(deployment, other).status_code == 200
    assert time.monotonic() - begun < 2
    for one in waiting:
        one.join(20)
