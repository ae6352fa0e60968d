"""The life of instances: warm minimum, back-off, idle shutdown, SIGTERM then SIGKILL, a new revision's empty disk."""

from __future__ import annotations

import time

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from tests.emulators.cloud_run.driver import (
    POLLING,
    Emulator,
    a_container,
    a_service,
    alive,
    automatic,
    eventually,
    http,
    manual,
    on_both,
    running,
)


def container_service(**env: str) -> run_v2.Service:
    service = a_service()
    service.template.containers = [a_container(env=env)]
    return service


def warm(emulator: Emulator, service_id: str, **env: str) -> dict:
    emulator.create(service_id, container_service(**env))
    emulator.scale(service_id, automatic(1, 1))
    [instance] = eventually(lambda: emulator.instances(service_id, "FROZEN", "SERVING"))
    return instance


@on_both
def test_a_minimum_instance_that_dies_is_replaced(emulator: Emulator, service_id: str) -> None:
    first = warm(emulator, service_id)
    url = f"{emulator.url}/emulator/v1/services/{service_id}/instances/{first['id']}:kill"
    assert http.post(url).status_code == 200
    [second] = eventually(
        lambda: [i for i in emulator.instances(service_id, "FROZEN") if i["pid"] != first["pid"]]
    )
    assert second["id"] != first["id"]
    assert http.post(url).status_code == 404


@on_both
def test_a_crash_loop_backs_off(emulator: Emulator, service_id: str, tmp_path) -> None:
    emulator.create(service_id, container_service(FAIL="1"))
    emulator.scale(service_id, automatic(1, 1))
    eventually(lambda: len(emulator.observed(service_id)["exits"]) >= 3)
    began = time.monotonic()
    exits = len(emulator.observed(service_id)["exits"])
    eventually(lambda: len(emulator.observed(service_id)["exits"]) > exits + 1)
    assert time.monotonic() - began > 0.4
    failed = emulator.get(service_id)
    assert failed.terminal_condition.revision_reason.name == "HEALTH_CHECK_CONTAINER_ERROR"
    # What does not change how it runs does not hide that it does not run.
    update = run_v2.Service(name=failed.name, annotations={"dormouse.dev/epoch": "2"})
    request = run_v2.UpdateServiceRequest(service=update, update_mask={"paths": ["annotations"]})
    with pytest.raises(exceptions.GoogleAPICallError, match="not ready"):
        emulator.client.update_service(request=request).result(polling=POLLING)
    assert emulator.get(service_id).terminal_condition.state.name == "CONDITION_FAILED"
    # A stop ends the loop, and Ready is about the stop then.
    stopped = emulator.scale(service_id, manual(0))
    assert stopped.terminal_condition.state.name == "CONDITION_SUCCEEDED"
    eventually(lambda: emulator.instances(service_id) == [])


@on_both
def test_sigterm_reaches_a_frozen_instance(emulator: Emulator, service_id: str) -> None:
    instance = warm(emulator, service_id)
    eventually(lambda: emulator.instances(service_id, "FROZEN"))
    emulator.scale(service_id, manual(0))
    eventually(lambda: not alive(instance["pid"]))
    [end] = eventually(lambda: emulator.observed(service_id)["exits"])
    assert end["code"] != 137


@on_both
def test_an_instance_that_ignores_sigterm_is_killed_after_the_grace(
    emulator: Emulator, service_id: str
) -> None:
    instance = warm(emulator, service_id, IGNORE_TERM="1")
    began = time.monotonic()
    emulator.scale(service_id, manual(0))
    assert alive(instance["pid"])
    assert emulator.instances(service_id, "STOPPING")
    eventually(lambda: not alive(instance["pid"]))
    assert time.monotonic() - began > 0.9
    assert eventually(lambda: emulator.observed(service_id)["exits"])[0]["code"] == 137


def test_idle_instances_shut_down_to_the_minimum(tmp_path) -> None:
    with running(tmp_path, "--idle-shutdown", "0.5", "--grace", "1") as emulator:
        emulator.create("idle")
        uri = emulator.scale("idle", automatic(0, 1)).uri
        assert http.get(uri).status_code == 200
        assert http.get(f"{uri}/wait?seconds=0.7").status_code == 200
        eventually(lambda: emulator.instances("idle") == [])
        assert http.get(uri).status_code == 200
        emulator.scale("idle", automatic(1, 1))
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 0.7)
        assert len(emulator.instances("idle")) == 1


@on_both
def test_a_new_revision_is_a_fresh_instance_and_scaling_is_not(emulator: Emulator, service_id: str) -> None:
    service = a_service()
    service.template.volumes = [
        run_v2.Volume(name="workspace", empty_dir=run_v2.EmptyDirVolumeSource(size_limit="16Mi"))
    ]
    mount = run_v2.VolumeMount(name="workspace", mount_path="/workspace")
    service.template.containers = [a_container(env={"WORKSPACE": "/workspace"}, volume_mounts=[mount])]
    emulator.create(service_id, service)
    uri = emulator.scale(service_id, automatic(1, 1)).uri
    assert http.get(f"{uri}/fill?mib=1").json()["error"] is None
    [first] = emulator.instances(service_id)
    emulator.scale(service_id, automatic(0, 1))
    assert http.get(uri).status_code == 200
    assert [instance["id"] for instance in emulator.instances(service_id)] == [first["id"]]
    assert http.get(f"{uri}/files").json() == ["big"]

    service.template.containers[0].env.append(run_v2.EnvVar(name="NEW", value="1"))
    emulator.with_image(service).name = emulator.name(service_id)
    request = run_v2.UpdateServiceRequest(service=service, update_mask={"paths": ["template"]})
    changed = emulator.client.update_service(request=request).result(polling=POLLING)
    assert changed.latest_ready_revision == changed.latest_created_revision
    assert http.get(uri).json()["environment"]["NEW"] == "1"
    assert http.get(f"{uri}/files").json() == []
    eventually(lambda: not alive(first["pid"]))


@on_both
def test_a_deployment_that_fails_leaves_the_old_revision_serving(emulator: Emulator, service_id: str) -> None:
    warm(emulator, service_id)
    before = emulator.get(service_id)
    update = emulator.with_image(container_service(FAIL="1"))
    update.name = before.name
    request = run_v2.UpdateServiceRequest(service=update, update_mask={"paths": ["template"]})
    with pytest.raises(exceptions.GoogleAPICallError, match="not ready"):
        emulator.client.update_service(request=request).result(polling=POLLING)
    after = emulator.get(service_id)
    assert after.terminal_condition.state.name == "CONDITION_FAILED"
    assert after.latest_created_revision != before.latest_created_revision
    assert after.latest_ready_revision == before.latest_ready_revision
    assert http.get(after.uri).status_code == 200


def test_a_deployment_at_automatic_is_checked_by_one_instance(emulator: Emulator, service_id: str) -> None:
    service = a_service()
    service.scaling = automatic(0, 1)
    created = emulator.create(service_id, service)
    assert created.latest_ready_revision == created.latest_created_revision
    assert len(emulator.instances(service_id)) == 1


def test_a_startup_probe_by_path_decides_when_requests_come(emulator: Emulator, service_id: str) -> None:
    probe = run_v2.Probe(
        http_get=run_v2.HTTPGetAction(path="/health"), period_seconds=1, failure_threshold=20
    )
    service = a_service()
    service.template.containers = [a_container(startup_probe=probe)]
    emulator.create(service_id, service)
    uri = emulator.scale(service_id, automatic(0, 1)).uri
    assert http.get(uri).status_code == 200


@on_both
def test_a_container_that_never_listens_fails_within_its_allowance(
    emulator: Emulator, service_id: str
) -> None:
    probe = run_v2.Probe(
        tcp_socket=run_v2.TCPSocketAction(), period_seconds=1, failure_threshold=1, timeout_seconds=1
    )
    service = a_service()
    service.template.containers = [a_container(env={"MUTE": "1"}, startup_probe=probe)]
    service.scaling = automatic(0, 1)
    with pytest.raises(exceptions.GoogleAPICallError, match="did not succeed within"):
        emulator.create(service_id, service)
    eventually(lambda: emulator.instances(service_id) == [])
