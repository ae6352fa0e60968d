"""With cpu_idle an instance has CPU only while a request or WebSocket is open: the whole tree, escaped children too."""

from __future__ import annotations

import time

import psutil
import pytest
from google.cloud import run_v2
from websockets.sync.client import connect

from tests.emulators.cloud_run.driver import (
    Emulator,
    a_container,
    a_service,
    alive,
    automatic,
    eventually,
    host_pid,
    http,
    manual,
    on_both,
    running,
)


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def spinning(emulator: Emulator, service_id: str, uri: str, *, detach: str = "") -> int:
    """A new child of the container that burns CPU, as this machine numbers it."""
    child = http.get(f"{uri}/spin", params={"detach": detach}).json()["child"]
    return host_pid(emulator.instances(service_id)[0], child)


def wake(emulator: Emulator, service_id: str, *, cpu_idle: bool = True) -> str:
    resources = run_v2.ResourceRequirements(cpu_idle=cpu_idle)
    service = a_service()
    service.template.containers = [a_container(resources=resources)]
    emulator.create(service_id, service)
    return emulator.scale(service_id, automatic(1, 1)).uri


@on_both
@pytest.mark.parametrize("detach", ["", "1"])
def test_a_busy_child_makes_no_progress_outside_requests(
    emulator: Emulator, service_id: str, detach: str
) -> None:
    """The child of a background `setsid` counts as well: it left the session, not the instance."""
    uri = wake(emulator, service_id)
    child = spinning(emulator, service_id, uri, detach=detach)
    eventually(lambda: emulator.instances(service_id, "FROZEN"))
    frozen_at = cpu_seconds(child)
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 0.5)
    assert cpu_seconds(child) - frozen_at < 0.1
    eventually(lambda: http.get(f"{uri}/wait?seconds=0.3") and cpu_seconds(child) - frozen_at > 0.15)
    emulator.scale(service_id, manual(0))
    eventually(lambda: not alive(child))


@on_both
def test_an_open_websocket_keeps_the_cpu(emulator: Emulator, service_id: str) -> None:
    uri = wake(emulator, service_id)
    child = spinning(emulator, service_id, uri)
    with connect(f"{uri.replace('http', 'ws')}/talk"):
        before = cpu_seconds(child)
        eventually(lambda: cpu_seconds(child) - before > 0.3)
        assert emulator.instances(service_id, "SERVING")
    eventually(lambda: emulator.instances(service_id, "FROZEN"))


def test_a_warm_instance_is_frozen_once_its_port_listens(emulator: Emulator, service_id: str) -> None:
    uri = wake(emulator, service_id)
    eventually(lambda: emulator.instances(service_id, "FROZEN"))
    assert http.get(uri).status_code == 200


@on_both
def test_what_stopped_itself_before_the_freeze_stays_stopped(emulator: Emulator, service_id: str) -> None:
    """A job under Ctrl-Z is the user's decision; a thaw must not overrule it."""
    uri = wake(emulator, service_id)
    child = psutil.Process(spinning(emulator, service_id, uri))
    with connect(f"{uri.replace('http', 'ws')}/talk"):
        child.suspend()
        eventually(lambda: child.status() == psutil.STATUS_STOPPED)
    eventually(lambda: emulator.instances(service_id, "FROZEN"))
    http.get(f"{uri}/wait?seconds=0.2")
    assert child.status() == psutil.STATUS_STOPPED


def test_without_cpu_idle_nothing_is_frozen(emulator: Emulator, service_id: str) -> None:
    uri = wake(emulator, service_id, cpu_idle=False)
    child = http.get(f"{uri}/spin").json()
    before = cpu_seconds(child["child"])
    eventually(lambda: cpu_seconds(child["child"]) - before > 0.3)
    assert emulator.instances(service_id, "SERVING")
    emulator.scale(service_id, manual(0))


@on_both
def test_many_requests_to_a_frozen_instance_are_all_answered(emulator: Emulator, service_id: str) -> None:
    uri = wake(emulator, service_id)
    for _ in range(30):
        eventually(lambda: emulator.instances(service_id, "FROZEN"))
        assert http.post(f"{uri}/echo", content=b"x").content == b"x"


def test_idle_instances_keep_a_full_cpu_where_that_is_asked_for(tmp_path) -> None:
    with running(tmp_path, "--idle-cpu", "full") as emulator:
        uri = wake(emulator, "hot")
        child = http.get(f"{uri}/spin").json()
        before = cpu_seconds(child["child"])
        eventually(lambda: cpu_seconds(child["child"]) - before > 0.2)


@on_both
def test_throttled_instances_creep_on_and_wake_as_fast_as_frozen_ones(tmp_path, runtime: str) -> None:
    with running(tmp_path, "--idle-cpu", "throttled", "--grace", "1", runtime=runtime) as emulator:
        uri = wake(emulator, "slow")
        child = spinning(emulator, "slow", uri)
        eventually(lambda: emulator.instances("slow", "FROZEN"))
        before, began = cpu_seconds(child), time.monotonic()
        eventually(lambda: cpu_seconds(child) - before >= 0.08)
        assert cpu_seconds(child) - before < (time.monotonic() - began) / 2
        for _ in range(10):
            assert http.post(f"{uri}/echo", content=b"x").content == b"x"
