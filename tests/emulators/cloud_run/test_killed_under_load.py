"""kill -9 in the middle of everything: what was acknowledged is there after the restart, and nothing runs on unseen.

Fifteen seeded moments on processes and three on Docker. A hundred, with what they came to:
CLOUD_RUN_KILLS=100 pytest --log-cli-level=INFO tests/emulators/cloud_run/test_killed_under_load.py
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import psutil
import pytest

from tests.emulators.cloud_run.driver import Emulator, end, eventually, http, start
from tests.emulators.cloud_run.load import COUNTER, SLEEPER, Ledger, Load, value_of
from tests.needed import need_engine

KILLS = {"process": int(os.environ.get("CLOUD_RUN_KILLS", "15")), "docker": 3}
LOAD_SECONDS = 120
_LOG = logging.getLogger(__name__)
FLAGS = ("--grace", "1", "--restart-delay", "0.05", "--operation-delay", "0.02", "--idle-shutdown", "1")


@pytest.fixture
def mark() -> Iterator[str]:
    """What the environment of every instance of this test holds; whoever still has it at the end is ended."""
    chosen = f"load-{os.getpid()}-{time.monotonic_ns()}"
    yield chosen
    for process in marked(chosen):
        process.kill()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("on", ["process", "docker"])
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, mark: str, on: str) -> None:
    if on == "docker":
        need_engine()
    emulator, ledger = start(tmp_path, *FLAGS, runtime=on), Ledger()
    try:
        Load(emulator, ledger, mark, random.Random(0)).prepare()
        for seed in range(KILLS[on]):
            kill_under_load(emulator, ledger, mark, random.Random(seed))
            emulator = start(tmp_path, *FLAGS, port=emulator.port, runtime=on)
            assert_nothing_runs_unseen(emulator, ledger, mark)
            assert_acknowledged(emulator, ledger, seed)
    finally:
        end(emulator)
    _LOG.info("%d kills, %d acknowledged writes, %d served calls", KILLS[on], ledger.writes, ledger.wakes)
    assert ledger.wakes > 0
    assert not marked(mark)
    assert not containers(tmp_path) if on == "docker" else True


def kill_under_load(emulator: Emulator, ledger: Ledger, mark: str, draw: random.Random) -> None:
    """SIGKILL after a drawn number of acknowledged writes, at a drawn moment of the next one."""
    load = Load(emulator, ledger, mark, draw)
    load.start()
    try:
        load.wait_for_writes(draw.randint(1, 40), LOAD_SECONDS)
        time.sleep(draw.uniform(0, 0.03))
    finally:
        emulator.process.kill()
        emulator.process.wait()
        load.end()


def assert_nothing_runs_unseen(emulator: Emulator, ledger: Ledger, mark: str) -> None:
    """Every instance on this machine is one that the restarted emulator knows; what it does not know was left behind."""

    def unseen() -> set[int]:
        running = {process.pid for process in marked(mark)}
        known = {
            pid for service_id in [COUNTER, SLEEPER, *ledger.records] for pid in pids(emulator, service_id)
        }
        return running - known

    eventually(lambda: not unseen())


def pids(emulator: Emulator, service_id: str) -> set[int]:
    """The processes of a service's instances."""
    found: set[int] = set()
    for instance in emulator.observed(service_id).get("instances", ()):
        try:
            leader = psutil.Process(instance["pid"])
            found |= {leader.pid, *(child.pid for child in leader.children(recursive=True))}
        except (psutil.NoSuchProcess, TypeError):
            continue
    return found


def assert_acknowledged(emulator: Emulator, ledger: Ledger, seed: int) -> None:
    """Every value is the acknowledged one, or that of the write that the kill left in doubt."""
    # Before the deletes that the restart finishes: an acknowledged create is there at once.
    for operation in ledger.operations:
        assert emulator.client.get_operation({"name": operation}).name == operation
    seen: dict[str, int] = {}
    for service_id, record in ledger.records.items():
        value = eventually_settled(emulator, service_id, record.acknowledged)
        assert record.allows(value), f"kill {seed}: {service_id} is {value}, acknowledged was {record}"
        if value is not None:
            seen[service_id] = value
    counter = value_of(emulator, COUNTER)
    assert counter is not None
    assert ledger.counted <= counter <= ledger.counted + ledger.count_in_doubt, f"kill {seed}: {ledger}"
    assert http.get(emulator.get(SLEEPER).uri).status_code == 200
    ledger.settle(seen, counter)


def eventually_settled(emulator: Emulator, service_id: str, acknowledged: int | None) -> int | None:
    """Its value; a delete that was acknowledged is given the time to end."""
    if acknowledged is None:
        eventually(lambda: value_of(emulator, service_id) is None or not emulator.get(service_id).reconciling)
    return value_of(emulator, service_id)


def marked(mark: str) -> list[psutil.Process]:
    """The processes of this machine that are instances of this test."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LOAD") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def containers(state: Path) -> list[str]:
    """The containers that this state's emulator left in the engine."""
    client = docker.from_env()
    try:
        return [found.name for found in client.containers.list(all=True) if str(state) in str(found.labels)]
    finally:
        client.close()
