"""Faults of the data plane: what a rule for `Request` or `Start` does to clients, instances and the work itself."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from emulators.errors import Code
from emulators.faults.rule import Effect, Rule, When
from tests.emulators.cloud_run.driver import DEADLINE_SECONDS, Emulator, automatic, end, http, running
from tests.emulators.cloud_run.driver import eventually as eventually_seen
from tests.emulators.cloud_run.hosted import SERVICE, a_revision, eventually, hosted


def test_an_error_before_the_request_spares_the_container(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(checked=False), 0, 1)
            here.gate.set(
                Rule("full", Effect.ERROR, method="Request", code=Code.RESOURCE_EXHAUSTED, message="No.")
            )
            answer = await here.get()
            assert (answer.status_code, answer.text) == (429, "No.\n")
            assert here.states() == []

    asyncio.run(story())


def test_an_error_after_the_request_hides_what_the_container_did(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            here.gate.set(Rule("late", Effect.ERROR, method="Request", when=When.AFTER, times=1))
            assert (await here.get("health")).status_code == 503
            assert len((await here.get("probes")).json()) == 1
            assert here.in_flight() == 0

    asyncio.run(story())


@pytest.mark.parametrize(("when", "done"), [(When.BEFORE, 0), (When.AFTER, 1)])
def test_a_dropped_request_breaks_its_connection(tmp_path: Path, when: When, done: int) -> None:
    """Whether the container has done its work, the client cannot see."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            here.gate.set(Rule("cable", Effect.DROP, method="Request", when=when, times=1))
            with pytest.raises(httpx2.TransportError):
                await here.get("health")
            assert len((await here.get("probes")).json()) == done

    asyncio.run(story())


def test_the_nth_request_of_one_service_is_hit(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            here.gate.set(Rule("third", Effect.ERROR, method="Request", resource=SERVICE, calls=(3,)))
            here.gate.set(Rule("elsewhere", Effect.ERROR, method="Request", resource="another"))
            assert [(await here.get()).status_code for _ in range(4)] == [200, 200, 503, 200]

    asyncio.run(story())


def test_a_delay_goes_by_the_clock(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 1, 1)
            await eventually(lambda: here.usage.count("instance_ready"))
            rule = Rule("slow", Effect.DELAY, method="Request", seconds=300)
            here.gate.set(rule)
            asking = asyncio.create_task(here.get())
            await eventually(lambda: rule.hits)
            assert here.usage.count("request_began") == 0
            await here.advance(seconds=301)
            assert (await asking).status_code == 200

    asyncio.run(story())


def test_what_hangs_after_its_work_is_cut_at_the_timeout(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            rule = Rule("hung", Effect.HANG, method="Request", when=When.AFTER)
            here.gate.set(rule)
            asking = asyncio.create_task(here.get())
            await eventually(lambda: rule.hits)
            assert here.in_flight() == 1
            await here.advance(hours=1)
            assert (await asking).status_code == 504

    asyncio.run(story())


@pytest.mark.parametrize(("when", "done"), [(When.BEFORE, 0), (When.AFTER, 1)])
def test_the_instance_that_has_the_request_is_killed(tmp_path: Path, when: When, done: int) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(), 0, 1)
            await here.get()
            [first] = here.site.autoscaler.instances
            here.gate.set(Rule("axe", Effect.KILL, method="Request", when=when, times=1))
            assert (await here.get("health")).status_code == 503
            assert here.exits() == ["Killed by the fault 'axe'."]
            # Whatever it had in memory has gone with it.
            assert (await here.get("probes")).json() == []
            assert here.site.autoscaler.instances != [first]
            assert here.usage.count("request_began") == 3

    asyncio.run(story())


def test_a_start_that_fails_is_an_instance_that_does_not_start(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(checked=False), 0, 1)
            here.gate.set(Rule("no host", Effect.ERROR, method="Start", message="No machine.", times=1))
            answer = await here.get()
            assert answer.status_code == 503
            assert "could not be started: No machine." in answer.text
            assert (await here.get()).status_code == 200
            assert here.usage.count("instance_started") == 1

    asyncio.run(story())


def test_a_slow_start_keeps_requests_waiting(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            rule = Rule("slow", Effect.DELAY, method="Start", seconds=30)
            here.gate.set(rule)
            here.apply(a_revision(checked=False), 0, 1)
            asking = asyncio.create_task(here.get())
            await eventually(lambda: rule.hits)
            await here.advance(seconds=20)
            assert not asking.done()
            await here.advance(seconds=11)
            assert (await asking).status_code == 200

    asyncio.run(story())


def test_a_start_that_hangs_can_be_stopped(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.gate.set(Rule("stuck", Effect.HANG, method="Start"))
            here.apply(a_revision(checked=False), 1, 1)
            await eventually(lambda: here.states() == ["STARTING"])
            here.apply(a_revision(checked=False), 0, 0, exact=True)
            await eventually(lambda: here.states() == [])
            assert here.usage.count("instance_started") == 0

    asyncio.run(story())


def test_rules_are_set_and_lifted_while_it_runs(emulator: Emulator, service_id: str) -> None:
    emulator.create(service_id)
    uri = emulator.scale(service_id, automatic(0, 1)).uri
    assert http.get(uri).status_code == 200
    rule = {
        "name": service_id,
        "effect": "error",
        "method": "Request",
        "resource": service_id,
        "code": "INTERNAL",
    }
    assert http.post(f"{emulator.url}/emulator/v1/faults", json=rule).status_code == 200
    assert http.get(uri).status_code == 500
    assert http.delete(f"{emulator.url}/emulator/v1/faults/{service_id}").status_code == 200
    eventually_seen(lambda: http.get(uri).status_code == 200)


@pytest.mark.parametrize("effect", ["hang", "drop"])
def test_a_call_without_an_answer_is_no_complaint_of_the_emulator(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], effect: str
) -> None:
    """It was asked for; neither while the emulator runs nor when it ends is there a traceback to wonder about."""
    with running(tmp_path) as emulator, ThreadPoolExecutor() as threads:
        faults = f"{emulator.url}/emulator/v1/faults"
        rule = {"name": effect, "effect": effect, "method": "GetService"}
        assert http.post(faults, json=rule).is_success
        call = threads.submit(http.get, f"{emulator.url}/v2/{emulator.name('any')}")
        eventually_seen(lambda: http.get(faults).json()["faults"][0]["hits"] == 1)
        end(emulator)
        assert emulator.process.returncode == 0
        with pytest.raises(httpx2.TransportError):
            call.result(DEADLINE_SECONDS)
    assert "ERROR" not in capfd.readouterr().err
