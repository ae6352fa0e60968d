"""UpdateService: which fields a mask reaches, what a switch of the scaling mode inherits, what makes a revision."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from tests.emulators.cloud_run.driver import (
    PARENT,
    POLLING,
    Emulator,
    a_container,
    a_service,
    automatic,
    manual,
)

MODE = run_v2.ServiceScaling.ScalingMode


def patch(emulator: Emulator, service: run_v2.Service, *paths: str, **options: bool) -> run_v2.Service:
    request = run_v2.UpdateServiceRequest(
        service=service, update_mask={"paths": paths} if paths else None, **options
    )
    return emulator.client.update_service(request=request).result(polling=POLLING)


def only(emulator: Emulator, service_id: str, **fields: object) -> run_v2.Service:
    return run_v2.Service(name=emulator.name(service_id), **fields)


def test_scaling_keeps_presence_of_zero_and_makes_no_revision(emulator: Emulator, service_id: str) -> None:
    created = emulator.create(service_id)
    assert "manual_instance_count" in emulator.get(service_id).scaling
    warm = emulator.scale(service_id, automatic(0, 1))
    assert warm.scaling.scaling_mode == MODE.AUTOMATIC
    assert warm.scaling.max_instance_count == 1
    off = emulator.scale(service_id, manual(0))
    assert off.scaling.scaling_mode == MODE.MANUAL
    assert "manual_instance_count" in off.scaling
    assert off.latest_created_revision == created.latest_created_revision
    assert off.generation == 3
    assert off.etag != warm.etag != created.etag
    assert off.update_time > created.update_time


def test_a_masked_but_absent_field_takes_its_default(emulator: Emulator, service_id: str) -> None:
    service = a_service()
    service.scaling = automatic(0, 3)
    service.template.health_check_disabled = True
    service.description = "old"
    emulator.create(service_id, service)
    changed = patch(emulator, only(emulator, service_id), "description", "scaling.max_instance_count")
    assert changed.description == ""
    assert changed.scaling.max_instance_count == 0


def test_maps_are_replaced_as_a_whole(emulator: Emulator, service_id: str) -> None:
    service = a_service()
    service.labels, service.annotations = {"a": "1"}, {"dormouse.dev/epoch": "1", "other": "x"}
    emulator.create(service_id, service)
    update = only(emulator, service_id, annotations={"dormouse.dev/epoch": "2"}, scaling=automatic(0, 1))
    changed = patch(
        emulator, update, "annotations", "scaling.scaling_mode", "scaling.min_instance_count",
        "scaling.max_instance_count",
    )  # fmt: skip
    assert dict(changed.annotations) == {"dormouse.dev/epoch": "2"}
    assert dict(changed.labels) == {"a": "1"}
    assert changed.template == emulator.get(service_id).template


@pytest.mark.parametrize(
    "path", ["labels.a", "template.containers.resources", "no_such_field", "scaling.nothing", "description.x"]
)
def test_a_bad_mask_path_is_invalid(emulator: Emulator, service_id: str, path: str) -> None:
    emulator.create(service_id)
    with pytest.raises(exceptions.BadRequest) as caught:
        patch(emulator, only(emulator, service_id), path)
    assert caught.value.response.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_output_only_fields_are_ignored(emulator: Emulator, service_id: str) -> None:
    created = emulator.create(service_id)
    changed = patch(emulator, only(emulator, service_id, uid="mine", description="d"), "uid", "description")
    assert changed.uid == created.uid
    assert changed.description == "d"


def test_without_a_mask_the_whole_service_is_replaced(emulator: Emulator, service_id: str) -> None:
    service = a_service()
    service.labels = {"a": "1"}
    created = emulator.create(service_id, service)
    replaced = patch(emulator, run_v2.Service(name=created.name, template=a_service().template))
    assert dict(replaced.labels) == {}
    assert replaced.scaling.scaling_mode == MODE.AUTOMATIC
    assert (replaced.uid, replaced.uri) == (created.uid, created.uri)
    assert replaced.latest_created_revision == created.latest_created_revision


def test_a_stale_etag_is_aborted(emulator: Emulator, service_id: str) -> None:
    first = emulator.create(service_id)
    update = only(emulator, service_id, description="x", etag=first.etag)
    second = patch(emulator, update, "description")
    assert second.etag != first.etag
    with pytest.raises(exceptions.Conflict) as caught:
        patch(emulator, update, "description")
    assert caught.value.response.json()["error"]["status"] == "ABORTED"


def test_allow_missing_creates(emulator: Emulator, service_id: str) -> None:
    service = a_service()
    service.name = emulator.name(service_id)
    with pytest.raises(exceptions.NotFound):
        patch(emulator, service)
    assert patch(emulator, service, allow_missing=True).name == service.name


def test_validate_only_checks_and_changes_nothing(emulator: Emulator, service_id: str) -> None:
    created = emulator.create(service_id)
    update = only(emulator, service_id, description="x")
    assert patch(emulator, update, "description", validate_only=True).description == "x"
    assert emulator.get(service_id) == created


def test_automatic_to_manual_without_a_count_inherits_the_minimum(
    emulator: Emulator, service_id: str
) -> None:
    emulator.create(service_id)
    emulator.scale(service_id, automatic(0, 2))
    mode = run_v2.ServiceScaling(scaling_mode=MODE.MANUAL)
    changed = patch(emulator, only(emulator, service_id, scaling=mode), "scaling.scaling_mode")
    assert changed.scaling.manual_instance_count == 0
    assert "manual_instance_count" in changed.scaling


def test_manual_to_automatic_gives_both_counts_or_neither(emulator: Emulator, service_id: str) -> None:
    emulator.create(service_id)
    half = only(
        emulator, service_id, scaling=run_v2.ServiceScaling(scaling_mode=MODE.AUTOMATIC, min_instance_count=1)
    )
    with pytest.raises(exceptions.BadRequest, match="max_instance_count"):
        patch(emulator, half, "scaling.scaling_mode", "scaling.min_instance_count")
    with pytest.raises(exceptions.BadRequest, match="max_instance_count"):
        patch(emulator, half, "scaling")
    neither = only(emulator, service_id, scaling=run_v2.ServiceScaling(scaling_mode=MODE.AUTOMATIC))
    inherited = patch(emulator, neither, "scaling.scaling_mode").scaling
    assert (inherited.min_instance_count, inherited.max_instance_count) == (0, 0)


@pytest.mark.parametrize("scaling", [automatic(-1, 1), automatic(3, 2), manual(-1)])
def test_impossible_counts_are_invalid(
    emulator: Emulator, service_id: str, scaling: run_v2.ServiceScaling
) -> None:
    emulator.create(service_id)
    with pytest.raises(exceptions.BadRequest):
        emulator.scale(service_id, scaling)


def test_a_changed_template_makes_a_new_revision(emulator: Emulator, service_id: str) -> None:
    created = emulator.create(service_id)
    template = run_v2.RevisionTemplate(containers=[a_container(env={"NEW": "1"})])
    changed = patch(emulator, only(emulator, service_id, template=template), "template.containers")
    assert changed.latest_created_revision != created.latest_created_revision
    assert changed.latest_ready_revision == changed.latest_created_revision
    again = patch(emulator, only(emulator, service_id, template=template), "template.containers")
    assert again.latest_created_revision == changed.latest_created_revision


def test_a_revision_name_sent_back_with_another_template_is_taken(
    emulator: Emulator, service_id: str
) -> None:
    """What happens to who reads a service, changes it and writes the whole of it back."""
    created = emulator.create(service_id, a_service(revision=f"{service_id}-one"))
    assert created.latest_created_revision.endswith(f"/{service_id}-one")
    created.template.containers[0].env = [run_v2.EnvVar(name="NEW", value="1")]
    with pytest.raises(exceptions.Conflict) as caught:
        patch(emulator, created)
    error = caught.value.response.json()["error"]
    assert error["status"] == "ALREADY_EXISTS"
    assert "different configuration" in error["message"]


def test_operations_can_be_got_listed_waited_for_and_deleted(emulator: Emulator, service_id: str) -> None:
    client = emulator.client
    started = client.create_service(parent=PARENT, service=a_service(), service_id=service_id).operation
    assert not started.done
    waited = client.wait_operation({"name": started.name})
    assert waited.done
    assert client.get_operation({"name": started.name}).done
    listed = client.list_operations({"name": PARENT})
    assert listed.operations[0].name == started.name
    client.delete_operation({"name": started.name})
    with pytest.raises(exceptions.NotFound):
        client.get_operation({"name": started.name})
