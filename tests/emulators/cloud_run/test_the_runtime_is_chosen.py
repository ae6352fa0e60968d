"""Containers where an engine can be used, else processes: the choice is made once, said, and never silently wrong."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from emulators.cloud_run.arguments import parse
from emulators.cloud_run.runtime.docker.networks import routes
from tests.emulators.cloud_run.driver import Emulator, end, http, refused, start

NOWHERE = "unix:///nonexistent/engine.sock"


def said(emulator: Emulator) -> dict[str, str]:
    return http.get(f"{emulator.url}/emulator/v1/runtime").json()


def test_without_an_engine_auto_is_processes_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    emulator = start(tmp_path, "--runtime", "auto")
    try:
        assert said(emulator)["runtime"] == "process"
        assert "does not answer" in said(emulator)["why"]
    finally:
        end(emulator)


def test_with_an_engine_auto_is_containers(tmp_path: Path, engine: None) -> None:
    emulator = start(tmp_path, "--runtime", "auto")
    try:
        assert said(emulator)["runtime"] == "docker"
    finally:
        end(emulator)


def test_containers_that_cannot_be_had_are_an_error_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    assert "--runtime docker is not possible: The container engine does not answer" in refused(
        tmp_path, "--runtime", "docker"
    )


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--door", "0.0.0.0:80"),
        ("--door", "127.0.0.1"),
        ("--door", "127.0.0.1:70000"),
        ("--instance-env", "NAME"),
        ("--instance-env", "PORT=1"),
    ],
)
def test_wrong_doors_and_variables_are_refused(flag: str, value: str) -> None:
    with pytest.raises(SystemExit):
        parse(["--port", "1", "--state", "s", "--project", "p", "--location", "l", flag, value])


def test_ways_that_this_machine_has_are_known_but_for_the_default_one() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n"
        "br-1\t00BBD50A\t00000000\t0001\t0\t0\t0\tC0FFFFFF\n"
    )
    assert routes(table) == [ipaddress.IPv4Network("10.213.187.0/26")]
