"""Revisions: what a template becomes, listed as long as it is kept, deleted when it no longer serves."""

from __future__ import annotations

import pytest
from google.api_core.client_options import ClientOptions
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport

from tests.conformance.check import check
from tests.conformance.cloud_run.services import POLLING, Services, refused

_REVISION = "google.cloud.run.v2 Revision"
_LIST = "google.cloud.run.v2 ListRevisionsRequest"
_DELETE = "google.cloud.run.v2 DeleteRevisionRequest"
_MANAGING = "run/docs/managing/revisions, Delete a revision"
_TAKEN = "github.com/googleapis/google-cloud-python issues 14259 and 11870"
_STATE = run_v2.Condition.State


@pytest.fixture
def revisions(services: Services) -> run_v2.RevisionsClient:
    """The revisions' client over the transport of the services'."""
    transport = services.client.transport
    if transport.kind == "grpc":
        return run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=transport.grpc_channel))
    return run_v2.RevisionsClient(
        transport="rest",
        credentials=transport._credentials,
        client_options=ClientOptions(api_endpoint=transport._host),
    )


def _two(services: Services, service_id: str) -> tuple[str, str]:
    """The first revision of a service, which is replaced, and the second."""
    first = services.create(service_id).latest_created_revision
    changed = services.update(service_id, "template.timeout", template={"timeout": "77s"})
    return first, changed.latest_created_revision


def _condition(revision: run_v2.Revision, kind: str) -> run_v2.Condition:
    return next(condition for condition in revision.conditions if condition.type_ == kind)


@check("RUN-131", source=f"{_REVISION}: an immutable snapshot of code and configuration")
def test_a_revision_is_what_its_template_said(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """A revision has its template's containers, timeout and concurrency, a uid, an etag and a time of creation."""
    service = services.create(service_id, services.draft(template__timeout="42s"))
    revision = revisions.get_revision(name=service.latest_created_revision, retry=None)
    assert revision.name == service.latest_created_revision
    assert revision.containers == service.template.containers
    assert revision.timeout.total_seconds() == 42
    assert revision.max_instance_request_concurrency == service.template.max_instance_request_concurrency
    assert revision.uid
    assert revision.etag
    assert revision.create_time


@check("RUN-132", source=f"{_REVISION}.conditions: its readiness status")
def test_a_revision_of_a_ready_service_is_ready(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """The revision of a service that is ready has a Ready condition that succeeded, and is not reconciling."""
    service = services.create(service_id)
    revision = revisions.get_revision(name=service.latest_ready_revision, retry=None)
    assert not revision.reconciling
    assert _condition(revision, "Ready").state == _STATE.CONDITION_SUCCEEDED


@check("RUN-133", source="google.cloud.run.v2 Revisions.ListRevisions: sorted by creation time, descending")
def test_revisions_that_were_replaced_stay_listed(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """A service's revisions are listed newest first, those that were replaced among them."""
    first, second = _two(services, service_id)
    listed = revisions.list_revisions(parent=services.name(service_id), retry=None)
    assert [revision.name for revision in listed] == [second, first]


@check("RUN-134", source=f"{_LIST}.parent: to list all Revisions across Services, use '-'")
def test_the_revisions_of_all_services_can_be_listed(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """The service `-` lists the revisions of every service."""
    made = {services.create(service_id + suffix).latest_created_revision for suffix in ("a", "b")}
    listed = revisions.list_revisions(parent=services.name("-"), retry=None)
    assert made <= {revision.name for revision in listed}
    for suffix in ("a", "b"):
        services.forget(service_id + suffix)


@check("RUN-135", source=f"{_LIST}.page_size, page_token; google.aip.dev/158")
def test_revisions_are_listed_in_pages(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """A list in pages of one has one revision in each, with a token in all but the last."""
    first, second = _two(services, service_id)
    request = run_v2.ListRevisionsRequest(parent=services.name(service_id), page_size=1)
    pages = list(revisions.list_revisions(request=request, retry=None).pages)
    assert [[revision.name for revision in page.revisions] for page in pages] == [[second], [first]]
    assert [bool(page.next_page_token) for page in pages] == [True, False]


@check(
    "RUN-136",
    source="google.cloud.run.v2 Condition.RevisionReason RETIRED; its place is seen, not said",
    assumed=True,
)
def test_a_replaced_revision_is_retired(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """A revision that another has replaced is ready still, and no longer active because it is RETIRED."""
    first, _ = _two(services, service_id)
    revision = revisions.get_revision(name=first, retry=None)
    assert _condition(revision, "Ready").state == _STATE.CONDITION_SUCCEEDED
    active = _condition(revision, "Active")
    assert active.state == _STATE.CONDITION_FAILED
    assert active.severity == run_v2.Condition.Severity.INFO
    assert active.revision_reason == run_v2.Condition.RevisionReason.RETIRED


@check("RUN-137", source="google.aip.dev/131 and google/rpc/code.proto NOT_FOUND")
def test_a_missing_revision_is_not_found(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """A revision that does not exist is NOT_FOUND for a get and a delete."""
    name = f"{services.create(service_id).name}/revisions/{service_id}-none"
    assert refused(lambda: revisions.get_revision(name=name, retry=None)).code == "NOT_FOUND"
    assert refused(lambda: revisions.delete_revision(name=name, retry=None)).code == "NOT_FOUND"


@check("RUN-138", source=f"{_MANAGING}; github.com/hashicorp/waypoint issue 814")
def test_a_revision_that_serves_cannot_be_deleted(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """The delete of a service's latest revision is FAILED_PRECONDITION, and says that it serves."""
    service = services.create(service_id)
    refusal = refused(lambda: revisions.delete_revision(name=service.latest_ready_revision, retry=None))
    assert refusal.code == "FAILED_PRECONDITION"
    assert "actively serving" in refusal.message


@check("RUN-139", source="google.cloud.run.v2 DeleteRevisionRequest: only retired revisions can be deleted")
def test_a_retired_revision_can_be_deleted(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """A retired revision is deleted by an operation that answers with it and its delete time; then it is gone."""
    first, second = _two(services, service_id)
    deleted = revisions.delete_revision(name=first, retry=None).result(polling=POLLING)
    assert deleted.name == first
    assert deleted.delete_time
    assert refused(lambda: revisions.get_revision(name=first, retry=None)).code == "NOT_FOUND"
    listed = revisions.list_revisions(parent=services.name(service_id), retry=None)
    assert [revision.name for revision in listed] == [second]


@check("RUN-140", source=f"{_DELETE}.validate_only")
def test_a_validated_delete_keeps_the_revision(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """A delete that only validates leaves the revision there."""
    first, _ = _two(services, service_id)
    request = run_v2.DeleteRevisionRequest(name=first, validate_only=True)
    revisions.delete_revision(request=request, retry=None).result(polling=POLLING)
    assert revisions.get_revision(name=first, retry=None).name == first


@check("RUN-141", source=f"{_DELETE}.etag; google.aip.dev/154")
def test_a_stale_etag_aborts_the_delete_of_a_revision(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """A delete with an etag that is not the revision's is ABORTED."""
    first, _ = _two(services, service_id)
    request = run_v2.DeleteRevisionRequest(name=first, etag='"stale"')
    assert refused(lambda: revisions.delete_revision(request=request, retry=None)).code == "ABORTED"


@check("RUN-142", source=_TAKEN)
def test_a_fetched_service_cannot_be_written_back_changed(services: Services, service_id: str) -> None:
    """A template that keeps its revision's name and says something else is ALREADY_EXISTS."""
    fetched = services.create(service_id, services.draft(template__revision=f"{service_id}-one"))
    fetched.template.timeout = "77s"
    refusal = refused(lambda: services.put(run_v2.UpdateServiceRequest(service=fetched)))
    assert refusal.code == "ALREADY_EXISTS"
    assert f"Revision named '{service_id}-one' with different configuration already exists" in refusal.message


@check(
    "RUN-143", source=f"{_TAKEN}; that it holds for every revision that is kept is an inference", assumed=True
)
def test_the_name_of_an_earlier_revision_is_taken(services: Services, service_id: str) -> None:
    """The name of an earlier revision is ALREADY_EXISTS for another configuration, too."""
    services.create(service_id, services.draft(template__revision=f"{service_id}-one"))
    paths = ("template.revision", "template.timeout")
    services.update(service_id, *paths, template={"revision": f"{service_id}-two", "timeout": "77s"})
    back = {"revision": f"{service_id}-one", "timeout": "78s"}
    assert refused(lambda: services.update(service_id, *paths, template=back)).code == "ALREADY_EXISTS"


@check(
    "RUN-144", source="google.cloud.run.v2 Services.DeleteService: traffic stops, all Revisions are deleted"
)
def test_the_revisions_of_a_deleted_service_are_deleted(
    services: Services, revisions: run_v2.RevisionsClient, service_id: str
) -> None:
    """The delete of a service deletes its revisions."""
    first, second = _two(services, service_id)
    services.forget(service_id)
    for name in (first, second):
        assert refused(lambda name=name: revisions.get_revision(name=name, retry=None)).code == "NOT_FOUND"
