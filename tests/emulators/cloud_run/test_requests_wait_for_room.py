"""Concurrency and the queue: what has no room waits, for 60 s on Cloud Run, then 429."""

from __future__ import annotations

import time
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
    running,
)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator whose queue is short."""
    with running(tmp_path_factory.mktemp("hasty"), "--queue-timeout", "1", "--grace", "1") as emulator:
        yield emulator


def narrow(emulator: Emulator, service_id: str, maximum: int) -> str:
    emulator.create(service_id, a_service(max_instance_request_concurrency=1))
    return emulator.scale(service_id, automatic(0, maximum)).uri


def test_requests_above_the_concurrency_wait_their_turn(hasty: Emulator) -> None:
    uri = narrow(hasty, "turns", 1)
    http.get(uri)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: http.get(f"{uri}/wait?seconds=0.1"), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(hasty.instances("turns")) == 1


def test_more_work_starts_more_instances_up_to_the_maximum(hasty: Emulator) -> None:
    uri = narrow(hasty, "grows", 2)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: http.get(f"{uri}/wait?seconds=1", timeout=20), range(2)))
    assert len({answer.text for answer in answers}) == 2
    assert len(hasty.instances("grows")) == 2


def test_what_finds_no_room_in_time_is_429(hasty: Emulator) -> None:
    uri = narrow(hasty, "full", 1)
    http.get(uri)
    with ThreadPoolExecutor(1) as pool:
        occupied = pool.submit(http.get, f"{uri}/wait?seconds=2")
        eventually(lambda: hasty.instances("full")[0]["requestsInFlight"] == 1)
        began = time.monotonic()
        assert http.get(uri).status_code == 429
        assert 0.9 < time.monotonic() - began < 1.9
        assert occupied.result().status_code == 200


def test_a_client_that_leaves_the_queue_starts_nothing_and_takes_no_room(hasty: Emulator) -> None:
    uri = narrow(hasty, "left", 1)
    with pytest.raises(httpx2.ReadTimeout):
        http.get(f"{uri}/wait?seconds=0", timeout=0.05)
    eventually(lambda: hasty.instances("left", "SERVING", "FROZEN"))
    eventually(lambda: hasty.instances("left")[0]["requestsInFlight"] == 0)
    assert http.get(uri).status_code == 200


def test_a_container_that_cannot_start_is_503_with_its_last_words(hasty: Emulator) -> None:
    service = a_service()
    service.template.containers = [a_container(env={"FAIL": "1"})]
    hasty.create("broken", service)
    uri = hasty.scale("broken", automatic(0, 1)).uri
    answer = http.get(uri)
    assert answer.status_code == 503
    assert "cannot start: the configuration is wrong" in answer.text
    failed = eventually(
        lambda: hasty.get("broken") if hasty.get("broken").terminal_condition.message else None
    )
    assert failed.terminal_condition.revision_reason.name == "HEALTH_CHECK_CONTAINER_ERROR"
    assert failed.terminal_condition.state.name == "CONDITION_FAILED"
    assert "cannot start: the configuration is wrong" in failed.terminal_condition.message
    assert "Exit code 1" in failed.terminal_condition.message
