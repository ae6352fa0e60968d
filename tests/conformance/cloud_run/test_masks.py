"""What does UpdateService change, and what does it leave alone?"""

from __future__ import annotations

import pytest
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import MODE, Services, refused

_FIELD_MASK = "google.protobuf.FieldMask, Field Masks in Update Operations"
_UPDATE = "google.cloud.run.v2 UpdateServiceRequest.update_mask"
_BAD_PATH = "google.protobuf.FieldMask: INVALID_ARGUMENT for an unmappable path; aip.dev/134"


@check("RUN-251", source=f"{_UPDATE}: the list of fields to be updated")
def test_only_the_masked_field_changes(services: Services, service_id: str) -> None:
    """What the mask does not name stays as it is, whatever the body says of it."""
    services.create(service_id, services.draft(description="old", labels={"a": "1"}))
    changed = services.update(service_id, "description", description="new", labels={"b": "2"})
    assert (changed.description, dict(changed.labels)) == ("new", {"a": "1"})


@check("RUN-252", source=f"{_FIELD_MASK}: reset to default where the body has none")
def test_a_masked_but_absent_field_takes_its_default(services: Services, service_id: str) -> None:
    """A field that the mask names and the body does not have takes its default, nested ones too."""
    scaling = {"scaling_mode": "AUTOMATIC", "max_instance_count": 3}
    services.create(service_id, services.draft(description="old", scaling=scaling))
    changed = services.update(service_id, "description", "scaling.max_instance_count")
    assert (changed.description, changed.scaling.max_instance_count) == ("", 0)


@check("RUN-253", source=f"{_FIELD_MASK}; the REST client leaves a masked zero out of the body")
def test_zero_is_written_where_it_is_masked(services: Services, service_id: str) -> None:
    """A minimum set back to 0 by mask is 0, though no transport carries the number itself."""
    scaling = {"scaling_mode": "AUTOMATIC", "min_instance_count": 0, "max_instance_count": 3}
    services.create(service_id, services.draft(scaling=scaling))
    services.update(service_id, "scaling.max_instance_count", scaling={"max_instance_count": 5})
    changed = services.update(service_id, "scaling.min_instance_count", scaling={"min_instance_count": 0})
    assert (changed.scaling.min_instance_count, changed.scaling.max_instance_count) == (0, 5)


@check("RUN-254", source=f"{_FIELD_MASK}: maps and lists are replaced as a whole")
def test_maps_are_replaced_as_a_whole(services: Services, service_id: str) -> None:
    """A masked map holds afterwards what the body has, and nothing of what it held."""
    services.create(service_id, services.draft(labels={"a": "1", "b": "2"}, annotations={"x": "y"}))
    changed = services.update(service_id, "labels", labels={"c": "3"})
    assert (dict(changed.labels), dict(changed.annotations)) == ({"c": "3"}, {"x": "y"})


@check("RUN-255", source=_BAD_PATH)
@pytest.mark.parametrize("path", ["no_such_field", "scaling.nothing", "description.length", "template."])
def test_a_path_that_leads_nowhere_is_named(services: Services, service_id: str, path: str) -> None:
    """A path to a field that does not exist is INVALID_ARGUMENT, never UNKNOWN, and the message has it."""
    services.create(service_id)
    refusal = refused(lambda: services.update(service_id, path, description="x"))
    assert refusal.code == "INVALID_ARGUMENT"
    assert path.split(".")[0].split("_")[0] in refusal.message


@check("RUN-256", source=f"{_FIELD_MASK}: a repeated field is not allowed except at the last position")
@pytest.mark.parametrize("path", ["labels.a", "template.containers.image", "template.volumes.name"])
def test_a_path_into_a_map_or_a_list_is_invalid(services: Services, service_id: str, path: str) -> None:
    """A path into a map or a list is INVALID_ARGUMENT."""
    services.create(service_id)
    refusal = refused(lambda: services.update(service_id, path, description="x"))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.names("update_mask")
    assert path in refusal.message


@check("RUN-257", source="aip.dev/161: * is a full replacement")
def test_a_star_replaces_everything(services: Services, service_id: str) -> None:
    """The mask * replaces the whole service, as no mask does."""
    services.create(service_id, services.draft(description="old", labels={"a": "1"}))
    draft = run_v2.Service.to_dict(services.draft(), use_integers_for_enums=True)
    replaced = services.put(
        run_v2.UpdateServiceRequest(
            service={
                "name": services.name(service_id),
                "template": {"containers": [{"image": services.image}]},
            },
            update_mask={"paths": ["*"]},
        )
    )
    assert draft["description"] == replaced.description == ""
    assert dict(replaced.labels) == {}


@check("RUN-258", source="aip.dev/134: an update without a mask is a full replacement")
def test_no_mask_replaces_everything(services: Services, service_id: str) -> None:
    """An update without a mask resets what the body does not have, scaling to AUTOMATIC included."""
    created = services.create(service_id, services.draft(description="old", labels={"a": "1"}))
    replaced = services.update(service_id, template=created.template)
    assert (replaced.description, dict(replaced.labels)) == ("", {})
    assert replaced.scaling.scaling_mode == MODE.AUTOMATIC
    assert (replaced.uid, replaced.uri) == (created.uid, created.uri)


@check("RUN-259", source="aip.dev/203: output only fields in a request are ignored")
def test_output_only_fields_are_ignored(services: Services, service_id: str) -> None:
    """What only the server writes is ignored, in the body and in the mask."""
    created = services.create(service_id)
    changed = services.update(
        service_id, "uid", "creator", "description", uid="mine", creator="me@example.com", description="d"
    )
    assert (changed.uid, changed.creator) == (created.uid, created.creator)
    assert changed.description == "d"


@check("RUN-260", source=f"{_UPDATE}: template.containers is one field of the template")
def test_a_list_of_the_template_can_be_masked(services: Services, service_id: str) -> None:
    """A masked list within the template is replaced, and the rest of the template is kept."""
    draft = services.draft(template__timeout="77s")
    services.create(service_id, draft)
    container = {"image": services.image, "env": [{"name": "NEW", "value": "1"}]}
    changed = services.update(service_id, "template.containers", template={"containers": [container]})
    assert changed.template.containers[0].env[0].name == "NEW"
    assert changed.template.timeout.total_seconds() == 77


@check(
    "RUN-261",
    source="aip.dev/193: BadRequest lists all violations; that Cloud Run does is believed",
    assumed=True,
)
def test_every_bad_path_is_told_at_once(services: Services, service_id: str) -> None:
    """A mask with two bad paths is refused once and names both."""
    services.create(service_id)
    refusal = refused(lambda: services.update(service_id, "labels.a", "nothing", "description"))
    assert "labels.a" in refusal.message
    assert "nothing" in refusal.message


@check("RUN-262", source="aip.dev/134: the update is atomic")
def test_a_refused_update_changes_nothing(services: Services, service_id: str) -> None:
    """An update of which one field is illegal changes none."""
    before = services.create(service_id)
    refused(
        lambda: services.update(service_id, "description", "labels", description="new", labels={"BAD": "x"})
    )
    assert services.get(service_id) == before
