"""Probes: who is asked, how often, and what follows from an answer, a silence and a failure."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from google.cloud import run_v2

from emulators.cloud_run.model.probe import GrpcHealth, HttpGet, Probe
from tests.emulators.cloud_run.driver import Emulator, a_container, a_service, automatic, http, on_both
from tests.emulators.cloud_run.driver import eventually as eventually_seen
from tests.emulators.cloud_run.hosted import Hosted, a_probe, a_revision, eventually, hosted

SECOND = timedelta(seconds=1)
HEALTH = HttpGet("/health", (("X-Ask", "one"), ("X-Token", "two")))


def http_probe(**fields: object) -> Probe:
    default = {"handler": HEALTH, "timeout": SECOND, "period": 10 * SECOND, "failure_threshold": 3}
    return a_probe(**(default | fields))


async def asked(here: Hosted) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await here.get("probes")).json()
    return found


def test_a_startup_probe_asks_its_path_with_its_headers(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(startup=http_probe()), 0, 1)
            [question] = await asked(here)
            assert (question["x-ask"], question["x-token"]) == ("one", "two")
            assert question["user-agent"].startswith("GoogleHC")

    asyncio.run(story())


def test_requests_wait_until_the_startup_probe_is_answered_well(tmp_path: Path) -> None:
    """Two answers of 503, one period apart each, then 200: the third decides."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(startup=http_probe(), env={"ILL_FIRST": "2"}), 0, 1)
            answer = asyncio.create_task(here.get("probes"))
            await eventually(lambda: here.states() == ["STARTING"])
            await here.advance(seconds=11)
            assert not answer.done()
            await here.advance(seconds=11)
            assert len((await answer).json()) == 3

    asyncio.run(story())


def test_as_many_failures_as_the_threshold_says_end_the_start(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(startup=http_probe(), env={"ILL_FIRST": "99"}), 0, 1)
            answer = asyncio.create_task(here.get())
            await eventually(lambda: here.states() == ["STARTING"])
            await here.advance(seconds=15)
            assert not answer.done()
            await here.advance(seconds=10)
            assert (await answer).status_code == 503
            assert "startup probe did not succeed" in (await answer).text

    asyncio.run(story())


def test_the_initial_delay_goes_by_the_clock(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(startup=http_probe(initial_delay=40 * SECOND)), 0, 1)
            answer = asyncio.create_task(here.get())
            await eventually(lambda: here.states() == ["STARTING"])
            await here.advance(seconds=30)
            assert not answer.done()
            await here.advance(seconds=10)
            assert (await answer).status_code == 200

    asyncio.run(story())


@pytest.mark.parametrize(("service", "starts"), [("db", True), ("", False), ("other", False)])
def test_a_grpc_probe_asks_the_health_service(tmp_path: Path, service: str, starts: bool) -> None:
    """The container says SERVING of `db` alone."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            probe = http_probe(handler=GrpcHealth(service), failure_threshold=1)
            here.apply(a_revision(startup=probe, env={"GRPC_HEALTH": "1"}, checked=False), 1, 1)
            if starts:
                await eventually(lambda: here.usage.count("instance_ready"))
            else:
                await eventually(here.exits)
                assert here.usage.count("instance_ready") == 0

    asyncio.run(story())


def test_a_live_instance_is_asked_every_period_and_keeps_no_cpu(tmp_path: Path) -> None:
    """A frozen container could not answer: it has its CPU for the probe, is billed for it, and is frozen again."""

    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(liveness=http_probe()), 1, 1)
            await eventually(lambda: here.states() == ["FROZEN"])
            await here.advance(minutes=5)
            await eventually(lambda: here.states() == ["FROZEN"])
            assert here.exits() == []
            assert 30 <= here.usage.count("probe_began") <= 32
            assert here.usage.count("probe_ended") == here.usage.count("probe_began")
            assert here.usage.count("request_began") == 0
            assert len(await asked(here)) == here.usage.count("probe_began")

    asyncio.run(story())


def test_probes_do_not_keep_an_idle_instance(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            here.apply(a_revision(liveness=http_probe(period=60 * SECOND)), 0, 1)
            await here.get()
            await here.advance(minutes=16)
            assert here.states() == []

    asyncio.run(story())


def test_an_instance_that_fails_its_liveness_probe_is_killed_and_replaced(tmp_path: Path) -> None:
    """What it was working on is answered 503; two failures of three are forgiven."""

    async def story() -> None:
        async with hosted(tmp_path, restart_delay=SECOND) as here:
            here.apply(a_revision(liveness=http_probe()), 1, 1)
            await eventually(lambda: here.usage.count("instance_ready"))
            await here.get("sicken")
            working = asyncio.create_task(here.get("wait?seconds=120"))
            await eventually(lambda: here.usage.count("request_began") == 2)
            await here.advance(seconds=22)
            assert not working.done()
            await here.advance(seconds=20)
            assert (await working).status_code == 503
            assert here.exits() == ["The liveness probe has failed as often as its threshold of 3 allows."]
            assert here.site.autoscaler.exits[0].code == 137
            await here.advance(seconds=5)
            await eventually(lambda: here.usage.count("instance_ready") == 2)

    asyncio.run(story())


def test_a_container_that_hangs_fails_its_liveness_probe(tmp_path: Path) -> None:
    async def story() -> None:
        async with hosted(tmp_path) as here:
            probe = http_probe(handler=HttpGet("/wait?seconds=100"), failure_threshold=1)
            here.apply(a_revision(liveness=probe, cpu_idle=False), 1, 1)
            await eventually(here.exits)
            assert "liveness probe has failed" in here.exits()[0]

    asyncio.run(story())


@on_both
def test_a_frozen_container_answers_its_liveness_probe_and_is_replaced_when_it_fails(
    emulator: Emulator, service_id: str
) -> None:
    """The same with either runtime, and in real time."""
    probe = run_v2.Probe(http_get=run_v2.HTTPGetAction(path="/health"), period_seconds=1, failure_threshold=2)
    service = a_service()
    service.template.containers = [a_container(liveness_probe=probe)]
    emulator.create(service_id, service)
    uri = emulator.scale(service_id, automatic(1, 1)).uri
    [first] = eventually_seen(lambda: emulator.instances(service_id, "FROZEN"))
    eventually_seen(lambda: len(http.get(f"{uri}/probes").json()) >= 3)
    eventually_seen(lambda: emulator.instances(service_id, "FROZEN"))
    http.get(f"{uri}/sicken")
    [end] = eventually_seen(lambda: emulator.observed(service_id)["exits"])
    assert (end["id"], end["code"]) == (first["id"], 137)
    eventually_seen(lambda: emulator.instances(service_id, "FROZEN"))
