"""Concurrency and the queue: what has no room waits, for 60 s on Cloud Run, then 429."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.emulators.cloud_run.driver import (
    Emulator,
    a_container,
    a_service,
    automatic,
    eventually,
    http,
    manual,
    running,
)


@pytest.fixture(scope="module")
def queueing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator whose clock may be moved."""
    with running(tmp_path_factory.mktemp("queueing"), "--grace", "1") as emulator:
        yield emulator


def narrow(emulator: Emulator, service_id: str, maximum: int) -> str:
    emulator.create(service_id, a_service(max_instance_request_concurrency=1))
    return emulator.scale(service_id, automatic(0, maximum)).uri


def test_requests_above_the_concurrency_wait_their_turn(queueing: Emulator) -> None:
    uri = narrow(queueing, "turns", 1)
    http.get(uri)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: http.get(f"{uri}/wait?seconds=0.1"), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(queueing.instances("turns")) == 1


def test_more_work_starts_more_instances_up_to_the_maximum(queueing: Emulator) -> None:
    uri = narrow(queueing, "grows", 2)
    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(http.get, f"{uri}/wait?seconds=60") for _ in range(2)]
        eventually(lambda: [one["requestsInFlight"] for one in queueing.instances("grows")] == [1, 1])
        queueing.scale("grows", manual(0))
        assert [answer.result().status_code for answer in asking] == [503, 503]


def test_what_finds_no_room_in_time_is_429(queueing: Emulator) -> None:
    uri = narrow(queueing, "full", 1)
    http.get(uri)
    with ThreadPoolExecutor(2) as pool:
        occupied = pool.submit(http.get, f"{uri}/wait?seconds=3")
        eventually(lambda: queueing.instances("full")[0]["requestsInFlight"] == 1)
        waiting = pool.submit(http.get, uri)
        eventually(lambda: queueing.observed("full")["requestsWaiting"] == 1)
        http.post(f"{queueing.url}/emulator/v1/clock:advance", json={"seconds": 61})
        assert waiting.result().status_code == 429
        assert occupied.result().status_code == 200


def test_a_client_that_leaves_the_queue_starts_nothing_and_takes_no_room(queueing: Emulator) -> None:
    uri = narrow(queueing, "left", 1)
    with pytest.raises(httpx2.ReadTimeout):
        http.get(f"{uri}/wait?seconds=0", timeout=0.05)
    eventually(lambda: queueing.instances("left", "SERVING", "FROZEN"))
    eventually(lambda: queueing.instances("left")[0]["requestsInFlight"] == 0)
    assert http.get(uri).status_code == 200


def test_a_container_that_cannot_start_is_503_with_its_last_words(queueing: Emulator) -> None:
    service = a_service()
    service.template.containers = [a_container(env={"FAIL": "1"})]
    queueing.create("broken", service)
    uri = queueing.scale("broken", automatic(0, 1)).uri
    answer = http.get(uri)
    assert answer.status_code == 503
    assert "cannot start: the configuration is wrong" in answer.text
    failed = eventually(
        lambda: queueing.get("broken") if queueing.get("broken").terminal_condition.message else None
    )
    assert failed.terminal_condition.revision_reason.name == "HEALTH_CHECK_CONTAINER_ERROR"
    assert failed.terminal_condition.state.name == "CONDITION_FAILED"
    assert "cannot start: the configuration is wrong" in failed.terminal_condition.message
    assert "Exit code 1" in failed.terminal_condition.message
