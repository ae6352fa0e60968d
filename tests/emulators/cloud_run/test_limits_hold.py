"""Memory and workspace: a full disk is ENOSPC, too much memory is a kill that says so."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from google.cloud import run_v2

from tests.emulators.cloud_run.driver import (
    Emulator,
    a_container,
    a_service,
    automatic,
    eventually,
    http,
    on_both,
    running,
)


def limited(emulator: Emulator, service_id: str) -> str:
    service = a_service()
    service.template.volumes = [
        run_v2.Volume(name="workspace", empty_dir=run_v2.EmptyDirVolumeSource(size_limit="8Mi"))
    ]
    resources = run_v2.ResourceRequirements(limits={"memory": "128Mi", "cpu": "1"}, cpu_idle=True)
    mount = run_v2.VolumeMount(name="workspace", mount_path="/workspace")
    service.template.containers = [
        a_container(env={"WORKSPACE": "/workspace"}, resources=resources, volume_mounts=[mount])
    ]
    emulator.create(service_id, service)
    return emulator.scale(service_id, automatic(1, 1)).uri


@on_both
def test_a_full_workspace_is_bounded(emulator: Emulator, service_id: str) -> None:
    """ENOSPC where the kernel gives us a tmpfs; otherwise the emulator says `soft` and kills what is over."""
    uri = limited(emulator, service_id)
    bound = http.get(f"{emulator.url}/emulator/v1/runtime").json()
    answer = http.get(f"{uri}/fill?mib=64")
    if bound["workspaceBound"] == "tmpfs":
        assert answer.json() == {"written": 8 << 20, "error": errno.ENOSPC}
        assert http.get(f"{uri}/files").json() == ["big"]
    else:
        eventually(lambda: "Volume limit" in emulator.log(service_id))


@on_both
def test_too_much_memory_is_a_kill_told_apart(emulator: Emulator, service_id: str) -> None:
    uri = limited(emulator, service_id)
    [first] = eventually(lambda: emulator.instances(service_id, "FROZEN"))
    assert http.get(f"{uri}/eat?mib=200", timeout=20).status_code == 503
    [end] = eventually(lambda: emulator.observed(service_id)["exits"])
    assert end["code"] == 137
    assert "Memory limit of 128 MiB exceeded" in end["reason"]
    assert "Memory limit of 128 MiB exceeded" in emulator.log(service_id)
    fresh = eventually(lambda: emulator.instances(service_id, "FROZEN"))
    assert fresh[0]["id"] != first["id"]


@on_both
@pytest.mark.parametrize("mib", [1])
def test_what_keeps_within_its_limits_lives(emulator: Emulator, service_id: str, mib: int) -> None:
    uri = limited(emulator, service_id)
    assert http.get(f"{uri}/fill?mib={mib}").json() == {"written": mib << 20, "error": None}
    assert emulator.observed(service_id)["exits"] == []


def test_a_soft_workspace_bound_kills_what_is_over_it(tmp_path: Path) -> None:
    """Where no tmpfs can be had the emulator says so, and measures."""
    with running(tmp_path, "--workspace-bound", "soft", "--grace", "1") as emulator:
        uri = limited(emulator, "soft")
        assert http.get(f"{emulator.url}/emulator/v1/runtime").json()["workspaceBound"] == "soft"
        assert http.get(f"{uri}/fill?mib=1").json()["error"] is None
        http.get(f"{uri}/fill?mib=16")
        eventually(lambda: "Volume limit of 8 MiB exceeded" in emulator.log("soft"))
        assert eventually(lambda: emulator.observed("soft")["exits"])[0]["code"] == 137


def test_bodies_of_a_given_length_end_at_32_mib(emulator: Emulator, service_id: str) -> None:
    """Cloud Run's limit for HTTP/1; a chunked body has none."""
    emulator.create(service_id)
    uri = emulator.scale(service_id, automatic(0, 1)).uri
    body = b"x" * ((32 << 20) + 1)
    assert http.post(f"{uri}/echo", content=body[:-1]).status_code == 200
    assert http.post(f"{uri}/echo", content=body).status_code == 413
    chunked = http.post(f"{uri}/echo", content=iter([body]))
    assert chunked.status_code == 500
    assert "larger than 32 MiB" in chunked.text
