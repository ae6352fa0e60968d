"""State on disk: services, addresses and operations outlive the emulator; instances do not."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest
from google.cloud import run_v2

from emulators.cloud_run.arguments import parse
from tests.emulators.cloud_run.driver import (
    PARENT,
    Emulator,
    a_service,
    alive,
    automatic,
    end,
    eventually,
    host_pid,
    http,
    manual,
    on_both,
    refused,
    start,
)


def warm(emulator: Emulator, service_id: str) -> int:
    emulator.create(service_id)
    emulator.scale(service_id, automatic(1, 1))
    [instance] = eventually(lambda: emulator.instances(service_id, "FROZEN"))
    return instance["pid"]


@on_both
def test_a_clean_stop_leaves_no_process_and_a_restart_keeps_services_and_addresses(
    tmp_path: Path, runtime: str
) -> None:
    first = start(tmp_path, "--grace", "1", runtime=runtime)
    pid = warm(first, "warm")
    child = http.get(first.get("warm").uri + "/spin?detach=1").json()["child"]
    child = host_pid(first.instances("warm")[0], child)
    first.create("off")
    before = {service_id: first.get(service_id) for service_id in ("warm", "off")}
    end(first)
    assert first.process.returncode == 0
    assert not alive(pid)
    assert not alive(child)

    second = start(tmp_path, "--grace", "1", port=first.port, runtime=runtime)
    try:
        assert {service_id: second.get(service_id) for service_id in before} == before
        assert http.get(before["off"].uri).status_code == 503
        assert http.get(before["warm"].uri).json()["environment"]["K_SERVICE"] == "warm"
        assert second.scale("off", automatic(0, 1)).generation == 2
        assert http.get(before["off"].uri).status_code == 200
    finally:
        end(second)


@on_both
def test_what_a_killed_emulator_left_is_killed_at_the_next_start(tmp_path: Path, runtime: str) -> None:
    first = start(tmp_path, "--idle-cpu", "full", runtime=runtime)
    pid = warm_unfrozen(first)
    child = http.get(first.get("warm").uri + "/spin?detach=1").json()["child"]
    child = host_pid(first.instances("warm")[0], child)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert alive(pid)
    assert alive(child)

    second = start(tmp_path, "--grace", "1", runtime=runtime)
    try:
        assert not alive(pid)
        assert not alive(child)
        [fresh] = eventually(lambda: second.instances("warm", "FROZEN"))
        assert fresh["pid"] != pid
    finally:
        end(second)
        for survivor in filter(alive, (pid, child)):
            os.kill(survivor, signal.SIGKILL)


def warm_unfrozen(emulator: Emulator) -> int:
    emulator.create("warm")
    emulator.scale("warm", automatic(1, 1))
    return eventually(lambda: emulator.instances("warm", "SERVING"))[0]["pid"]


def test_an_operation_that_a_kill_interrupted_is_finished(tmp_path: Path) -> None:
    first = start(tmp_path, "--operation-delay", "60")
    running = first.client.create_service(parent=PARENT, service=a_service(), service_id="cut").operation
    assert not running.done
    first.client.create_service(parent=PARENT, service=a_service(), service_id="dying")
    first.client.delete_service(name=first.name("dying"))
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()

    second = start(tmp_path)
    try:
        assert second.client.get_operation({"name": running.name}).done
        service = second.get("cut")
        assert not service.reconciling
        assert service.observed_generation == 1
        assert service.scaling.scaling_mode == run_v2.ServiceScaling.ScalingMode.MANUAL
        assert [s.name for s in second.client.list_services(parent=PARENT)] == [service.name]
    finally:
        end(second)


def test_a_second_stop_signal_is_harmless(tmp_path: Path) -> None:
    emulator = start(tmp_path, "--grace", "1")
    pid = warm(emulator, "warm")
    emulator.scale("warm", manual(1))
    emulator.process.send_signal(signal.SIGINT)
    emulator.process.send_signal(signal.SIGTERM)
    assert emulator.process.wait(30) == 0
    assert not alive(pid)


def test_two_emulators_never_share_a_state(tmp_path: Path) -> None:
    """The second would take the first one's instances for leftovers."""
    emulator = start(tmp_path, "--grace", "1")
    try:
        pid = warm(emulator, "warm")
        assert "choose another --state" in refused(tmp_path)
        assert alive(pid)
    finally:
        end(emulator)


def test_a_service_whose_address_is_taken_is_named(tmp_path: Path) -> None:
    emulator = start(tmp_path)
    port = int(emulator.create("homeless").uri.rpartition(":")[2])
    end(emulator)
    with closing(socket.create_server(("127.0.0.1", port))):
        assert "service 'homeless' is taken" in refused(tmp_path)


def test_a_wrong_command_line_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    needed = ["--port", "1", "--state", "s", "--project", "p", "--location", "l"]
    for wrong, explanation in (
        (["--image", "python=python"], "NAME@sha256"),
        (["--invoker", "a@example.com"], "--invoker needs --keys"),
        (["--grace", "-1"], "between 0 and 86400"),
    ):
        with pytest.raises(SystemExit):
            parse([*needed, *wrong])
        assert explanation in capsys.readouterr().err
