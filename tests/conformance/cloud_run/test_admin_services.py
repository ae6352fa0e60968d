"""Services: created, read, listed, changed and deleted, by long-running operations and under etags."""

from __future__ import annotations

import pytest
from google.cloud import run_v2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import MODE, POLLING, Services, refused

_SERVICE = "google.cloud.run.v2 Service"
_CREATE = "google.cloud.run.v2 CreateServiceRequest"
_LIST = "google.cloud.run.v2 ListServicesRequest"
_UPDATE = "google.cloud.run.v2 UpdateServiceRequest"
_DELETE = "google.cloud.run.v2 DeleteServiceRequest"
_ETAGS = "github.com/aip-dev/google.aip.dev issues 705 and 837 (AIP-154)"
_PAGES = "google.aip.dev/158, Pagination"
_AUTOMATIC = {"scaling_mode": "AUTOMATIC", "max_instance_count": 1}
_MODE_PATHS = ("scaling.scaling_mode", "scaling.min_instance_count", "scaling.max_instance_count")


def _delete(services: Services, service_id: str, **options: object) -> run_v2.Service:
    request = run_v2.DeleteServiceRequest(name=services.name(service_id), **options)
    return services.client.delete_service(request=request, retry=None).result(polling=POLLING)


def _listed(services: Services, **options: object) -> run_v2.services.services.pagers.ListServicesPager:
    request = run_v2.ListServicesRequest(parent=services.parent, **options)
    return services.client.list_services(request=request, retry=None)


@check("RUN-101", source="google.cloud.run.v2 Services.CreateService, operation_info")
def test_a_create_is_an_operation_on_a_service(services: Services, service_id: str) -> None:
    """CreateService answers with an operation whose metadata and response are the service."""
    operation = services.begin_create(service_id)
    assert operation.operation.name.startswith(f"{services.parent}/operations/")
    assert operation.metadata.name == services.name(service_id)
    assert operation.result(polling=POLLING).name == services.name(service_id)


@check("RUN-102", source=f"{_SERVICE}, output-only fields")
def test_a_new_service_says_what_it_is(services: Services, service_id: str) -> None:
    """A service that was created has a uid, an etag, times, an address and generation 1, which is in force."""
    service = services.create(service_id)
    assert service.uid
    assert service.etag
    assert service.uri in service.urls
    assert service.create_time <= service.update_time
    assert service.generation == service.observed_generation == 1
    assert not service.reconciling
    assert service.latest_ready_revision == service.latest_created_revision
    assert service.latest_created_revision.startswith(f"{service.name}/revisions/{service_id}-")


@check("RUN-103", source="github.com/hashicorp/terraform-provider-google issue 16591")
def test_a_taken_name_already_exists(services: Services, service_id: str) -> None:
    """The name of a service that exists is refused with ALREADY_EXISTS."""
    services.create(service_id)
    assert services.refuses(service_id, services.draft()).code == "ALREADY_EXISTS"


@check("RUN-104", source=f"{_CREATE}.validate_only")
def test_a_validated_create_makes_nothing(services: Services, service_id: str) -> None:
    """A create that only validates is checked like any other, and nothing is created."""
    assert services.accepts(service_id, services.draft())
    assert refused(lambda: services.get(service_id)).code == "NOT_FOUND"
    bad = services.draft({"image": ""})
    refusal = refused(lambda: services.begin_create(service_id, bad, validate_only=True))
    assert refusal.code == "INVALID_ARGUMENT"


@check("RUN-105", source="google.aip.dev/131 and google/rpc/code.proto NOT_FOUND")
def test_a_missing_service_is_not_found(services: Services, service_id: str) -> None:
    """A service that does not exist is NOT_FOUND for a get, an update and a delete."""
    assert refused(lambda: services.get(service_id)).code == "NOT_FOUND"
    refusal = refused(lambda: services.update(service_id, "description", description="x"))
    assert refusal.code == "NOT_FOUND"
    assert refused(lambda: _delete(services, service_id)).code == "NOT_FOUND"


@check("RUN-106", source="google.cloud.run.v2 Services.ListServices: sorted by creation time, descending")
def test_a_list_is_newest_first(services: Services, service_id: str) -> None:
    """ListServices sorts by the time of creation, newest first."""
    for suffix in ("a", "b"):
        services.create(service_id + suffix)
    names = [service.name for service in _listed(services)]
    assert names.index(services.name(service_id + "b")) < names.index(services.name(service_id + "a"))
    for suffix in ("a", "b"):
        services.forget(service_id + suffix)


@check("RUN-107", source=f"{_LIST}.page_size, page_token; {_PAGES}")
def test_a_list_goes_on_where_its_page_ended(services: Services, service_id: str) -> None:
    """A list in pages of one has every service once, and a token in every page but the last."""
    for suffix in ("a", "b", "c"):
        services.create(service_id + suffix)
    pages = list(_listed(services, page_size=1).pages)
    names = [service.name for page in pages for service in page.services]
    assert all(len(page.services) <= 1 for page in pages)
    assert [bool(page.next_page_token) for page in pages] == [True] * (len(pages) - 1) + [False]
    assert {services.name(service_id + suffix) for suffix in ("a", "b", "c")} <= set(names)
    assert len(names) == len(set(names))
    for suffix in ("a", "b", "c"):
        services.forget(service_id + suffix)


@check("RUN-108", source=f"{_LIST}.parent: location cannot be the '-' wildcard")
def test_the_services_of_all_locations_cannot_be_listed(services: Services) -> None:
    """ListServices refuses the location `-`."""
    parent = services.parent.rpartition("/")[0] + "/-"
    refusal = refused(lambda: services.client.list_services(parent=parent, retry=None))
    assert refusal.code == "INVALID_ARGUMENT"


@check("RUN-109", source="iam/docs/permission-error-messages; the exact case is not documented", assumed=True)
def test_another_project_is_denied(services: Services) -> None:
    """A project that the caller has no rights in is PERMISSION_DENIED."""
    location = services.parent.rpartition("/")[2]
    parent = f"projects/nobody-has-this-project/locations/{location}"
    assert (
        refused(lambda: services.client.list_services(parent=parent, retry=None)).code == "PERMISSION_DENIED"
    )


@check("RUN-110", source="no page says how a region that does not exist is refused", assumed=True)
@pytest.mark.emulator_only
def test_another_location_is_not_found(services: Services) -> None:
    """A location that there is not is NOT_FOUND."""
    parent = services.parent.rpartition("/")[0] + "/mars-north1"
    assert refused(lambda: services.client.list_services(parent=parent, retry=None)).code == "NOT_FOUND"


@check("RUN-111", source=f"{_PAGES}: an invalid page token is INVALID_ARGUMENT")
def test_a_foreign_page_token_is_invalid(services: Services) -> None:
    """A page token that no list gave out is INVALID_ARGUMENT."""
    assert refused(lambda: _listed(services, page_token="Nonsense")).code == "INVALID_ARGUMENT"


@check("RUN-112", source=f"{_PAGES}: a negative page size is INVALID_ARGUMENT")
def test_a_negative_page_size_is_invalid(services: Services) -> None:
    """A page size below zero is INVALID_ARGUMENT."""
    assert refused(lambda: _listed(services, page_size=-1)).code == "INVALID_ARGUMENT"


@check("RUN-113", source=f"{_PAGES}: a page size above the maximum is coerced down")
def test_a_page_size_above_the_maximum_is_coerced(services: Services) -> None:
    """A page size above the maximum is no error."""
    assert _listed(services, page_size=2**30) is not None


@check("RUN-114", source=f"{_SERVICE}.generation, etag, update_time, uid, create_time")
def test_a_change_has_a_generation_of_its_own(services: Services, service_id: str) -> None:
    """An update raises the generation by one and gives a new etag and update time; uid and creation time stay."""
    created = services.create(service_id)
    changed = services.update(service_id, "description", description="changed")
    assert changed.generation == changed.observed_generation == created.generation + 1
    assert changed.etag != created.etag
    assert changed.update_time > created.update_time
    assert (changed.uid, changed.create_time, changed.uri) == (created.uid, created.create_time, created.uri)


@check("RUN-115", source=_ETAGS)
def test_a_stale_etag_aborts_an_update(services: Services, service_id: str) -> None:
    """An update with the current etag is made; one with an earlier etag is ABORTED."""
    created = services.create(service_id)
    services.update(service_id, "description", description="first", etag=created.etag)
    refusal = refused(lambda: services.update(service_id, "description", description="x", etag=created.etag))
    assert refusal.code == "ABORTED"
    assert services.get(service_id).description == "first"


@check("RUN-116", source=f"{_UPDATE}.allow_missing")
def test_an_update_may_create(services: Services, service_id: str) -> None:
    """An update of a missing service creates it when missing is allowed, and otherwise is NOT_FOUND."""
    service = services.draft(name=services.name(service_id))
    request = run_v2.UpdateServiceRequest(service=service)
    assert refused(lambda: services.put(request)).code == "NOT_FOUND"
    request.allow_missing = True
    assert services.put(request).generation == 1


@check("RUN-117", source=f"{_UPDATE}.validate_only")
def test_a_validated_update_changes_nothing(services: Services, service_id: str) -> None:
    """An update that only validates leaves the service as it is."""
    created = services.create(service_id)
    service = run_v2.Service(name=created.name, description="x")
    services.put(
        run_v2.UpdateServiceRequest(
            service=service, update_mask={"paths": ["description"]}, validate_only=True
        )
    )
    assert services.get(service_id) == created


@check("RUN-118", source="run/docs/configuring/services/manual-scaling: no redeployment; ServiceScaling")
def test_service_level_scaling_makes_no_revision(services: Services, service_id: str) -> None:
    """A change of the service-level scaling goes into effect without a new revision."""
    created = services.create(service_id)
    changed = services.update(service_id, *_MODE_PATHS, scaling=_AUTOMATIC)
    assert changed.scaling.scaling_mode == MODE.AUTOMATIC
    assert changed.latest_created_revision == created.latest_created_revision


@check("RUN-119", source=f"{_SERVICE}.template and RevisionTemplate; run/docs/managing/revisions")
def test_a_changed_template_makes_a_revision(services: Services, service_id: str) -> None:
    """Anything that changes under `template` makes a new revision."""
    created = services.create(service_id)
    changed = services.update(service_id, "template.timeout", template={"timeout": "77s"})
    assert changed.latest_created_revision != created.latest_created_revision
    assert changed.template.containers == created.template.containers


@check("RUN-120", source="google.protobuf.FieldMask: a field that is absent is reset to its default")
def test_a_masked_field_that_is_absent_takes_its_default(services: Services, service_id: str) -> None:
    """A field that the mask names and the service does not have is cleared; what the mask does not name stays."""
    services.create(service_id, services.draft(description="old", labels={"kept": "yes"}))
    changed = services.update(service_id, "description")
    assert (changed.description, dict(changed.labels)) == ("", {"kept": "yes"})


@check("RUN-121", source="google.protobuf.FieldMask, invalid paths; google.aip.dev/134")
@pytest.mark.parametrize("path", ["no_such_field", "template.no_such_field", "labels.a", "description.x"])
def test_a_bad_mask_path_is_invalid(services: Services, service_id: str, path: str) -> None:
    """A mask path that names no field is INVALID_ARGUMENT."""
    services.create(service_id)
    assert refused(lambda: services.update(service_id, path)).code == "INVALID_ARGUMENT"


@check("RUN-122", source=f"{_SERVICE}.delete_time: only populated as a response to a Delete request")
def test_a_deleted_service_is_gone(services: Services, service_id: str) -> None:
    """A delete answers with the service and its delete time; then the service is NOT_FOUND."""
    created = services.create(service_id)
    deleted = _delete(services, service_id)
    assert deleted.uid == created.uid
    assert deleted.delete_time
    assert refused(lambda: services.get(service_id)).code == "NOT_FOUND"
    assert services.name(service_id) not in [service.name for service in _listed(services)]


@check("RUN-123", source="no page says when a deleted service's name is free again", assumed=True)
def test_the_name_of_a_deleted_service_is_free(services: Services, service_id: str) -> None:
    """When the delete is done its name can be used again, for another service with another uid."""
    first = services.create(service_id)
    _delete(services, service_id)
    assert services.create(service_id).uid != first.uid


@check("RUN-124", source=f"{_DELETE}.etag; {_ETAGS}")
def test_a_stale_etag_aborts_a_delete(services: Services, service_id: str) -> None:
    """A delete with an etag that is not the current one is ABORTED, and the service stays."""
    created = services.create(service_id)
    services.update(service_id, "description", description="changed")
    assert refused(lambda: _delete(services, service_id, etag=created.etag)).code == "ABORTED"
    _delete(services, service_id, etag=services.get(service_id).etag)


@check("RUN-125", source=f"{_DELETE}.validate_only")
def test_a_validated_delete_deletes_nothing(services: Services, service_id: str) -> None:
    """A delete that only validates leaves the service there."""
    created = services.create(service_id)
    _delete(services, service_id, validate_only=True)
    assert services.get(service_id) == created


@check("RUN-126", source="google.cloud.run.v2 Condition.CommonReason CONTAINER_MISSING", assumed=True)
def test_an_image_that_is_missing_fails_the_operation_and_keeps_the_service(
    services: Services, service_id: str
) -> None:
    """A service whose image does not exist is there, is not ready for CONTAINER_MISSING, and its operation failed."""
    missing = services.draft({"image": f"{services.image.partition('@')[0]}@sha256:{'b' * 64}"})
    operation = services.begin_create(service_id, missing)
    refused(lambda: operation.result(polling=POLLING))
    service = services.get(service_id)
    assert service.terminal_condition.state == run_v2.Condition.State.CONDITION_FAILED
    assert service.terminal_condition.reason == run_v2.Condition.CommonReason.CONTAINER_MISSING
    assert not service.reconciling
    assert service.latest_ready_revision == ""


@check(
    "RUN-127", source=f"{_SERVICE}.template, required; run/docs/reference/rest/v2/projects.locations.services"
)
def test_a_service_keeps_a_template(services: Services, service_id: str) -> None:
    """An update that replaces the whole service and gives no template is INVALID_ARGUMENT."""
    created = services.create(service_id)
    assert refused(lambda: services.update(service_id, description="alone")).code == "INVALID_ARGUMENT"
    assert services.get(service_id) == created


@check("RUN-189", source="google.cloud.run.v2, names of resources; google.aip.dev/122")
@pytest.mark.emulator_only
@pytest.mark.parametrize("name", ["services/x", "projects/p/services/x", "nonsense"])
def test_a_name_that_is_none_is_invalid(services: Services, name: str) -> None:
    """A name that is not of the documented form is INVALID_ARGUMENT; over REST the client itself refuses it."""
    if services.client.transport.kind == "rest":
        with pytest.raises(ValueError):
            services.client.get_service(name=name, retry=None)
        return
    assert refused(lambda: services.client.get_service(name=name, retry=None)).code == "INVALID_ARGUMENT"
