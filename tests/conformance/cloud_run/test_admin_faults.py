"""Faults and time: operations that take long, hang or fail, and lists that are stale.

Against Google nobody can ask for these, so each check says what a client must be ready for, and where that is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsRestTransport
from google.longrunning import operations_pb2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import POLLING, Services, refused
from tests.emulators.cloud_run.driver import Emulator, eventually, http

pytestmark = [pytest.mark.emulator_only, pytest.mark.parametrize("services", ["rest"], indirect=True)]

_RECONCILING = "google.cloud.run.v2 Service.reconciling, observed_generation"
_LRO = "google/longrunning/operations.proto"
_STATE = run_v2.Condition.State


@pytest.fixture
def faults(emulator: Emulator, service_id: str) -> Iterator[Faults]:
    """Faults that strike this check's service alone, and are lifted after it."""
    rules = Faults(emulator, service_id)
    yield rules
    rules.lift()


class Faults:
    """Rules in force, each named after the service that it is about."""

    def __init__(self, emulator: Emulator, service_id: str) -> None:
        self._url = f"{emulator.url}/emulator/v1/faults"
        self._service_id = service_id

    def set(self, method: str, effect: str, **fields: Any) -> None:
        rule = {"name": self._service_id, "method": method, "effect": effect}
        rule |= {"resource": f"*{self._service_id}", **fields}
        assert http.post(self._url, json=rule).status_code == 200

    def lift(self) -> None:
        http.delete(f"{self._url}/{self._service_id}")

    def advance(self, seconds: float) -> None:
        clock = self._url.replace("/faults", "/clock:advance")
        assert http.post(clock, json={"seconds": seconds}).status_code == 200


def _update(services: Services, service_id: str) -> Any:
    service = run_v2.Service(name=services.name(service_id), description="changed")
    request = run_v2.UpdateServiceRequest(service=service, update_mask={"paths": ["description"]})
    return services.client.update_service(request=request, retry=None, timeout=60)


def _operation(services: Services, name: str) -> operations_pb2.Operation:
    return services.client.get_operation({"name": name})


@check("RUN-311", source=f"{_RECONCILING}; {_LRO} Operation.done")
def test_a_change_that_is_under_way_is_reconciling(
    services: Services, faults: Faults, service_id: str
) -> None:
    """Until its operation is done a changed service is reconciling, and its old generation is the observed one."""
    services.create(service_id)
    faults.set("operation:UpdateService", "hang")
    name = _update(services, service_id).operation.name
    service = services.get(service_id)
    assert (service.generation, service.observed_generation) == (2, 1)
    assert service.reconciling
    assert service.terminal_condition.state == _STATE.CONDITION_RECONCILING
    assert not _operation(services, name).done


@check("RUN-312", source="google.cloud.run.v2; a deploy may take as long as the 4 minutes of a startup")
def test_an_operation_takes_as_long_as_the_clock_says(
    services: Services, faults: Faults, service_id: str
) -> None:
    """An operation that is delayed is done when the emulator's clock has gone so far, and not before."""
    services.create(service_id)
    faults.set("operation:UpdateService", "delay", seconds=240)
    name = _update(services, service_id).operation.name
    faults.advance(200)
    assert not _operation(services, name).done
    faults.advance(60)
    assert _operation(services, name).done
    assert not services.get(service_id).reconciling


@check("RUN-313", source=f"{_LRO} Operation.error")
def test_an_operation_can_fail(services: Services, faults: Faults, service_id: str) -> None:
    """An operation that fails ends with a status, and its client raises it."""
    services.create(service_id)
    faults.set("operation:UpdateService", "error", code="INTERNAL", message="Revision is not ready.")
    operation = _update(services, service_id)
    with pytest.raises(exceptions.GoogleAPICallError, match="Revision is not ready"):
        operation.result(polling=POLLING)
    assert _operation(services, operation.operation.name).error.code == 13


@check("RUN-314", source=f"{_LRO} WaitOperationRequest.timeout: the latest state when it is reached")
def test_a_wait_ends_with_its_timeout(services: Services, faults: Faults, service_id: str) -> None:
    """A wait whose timeout is over answers with the operation as it is, not with an error."""
    services.create(service_id)
    faults.set("operation:UpdateService", "hang")
    name = _update(services, service_id).operation.name
    assert not services.client.wait_operation({"name": name, "timeout": {"nanos": 1000000}}).done


@check("RUN-315", source="google.cloud.run.v2 ListServicesRequest.show_deleted; Service.delete_time")
def test_a_service_that_is_being_deleted_is_listed_on_request(
    services: Services, faults: Faults, service_id: str
) -> None:
    """While its delete is under way a service has a delete time, and is listed only by show_deleted."""
    services.create(service_id)
    faults.set("operation:DeleteService", "delay", seconds=30)
    services.client.delete_service(name=services.name(service_id), retry=None)
    assert services.get(service_id).delete_time
    for show_deleted in (False, True):
        request = run_v2.ListServicesRequest(parent=services.parent, show_deleted=show_deleted)
        names = [service.name for service in services.client.list_services(request=request, retry=None)]
        assert (services.name(service_id) in names) == show_deleted
    faults.advance(31)
    eventually(lambda: refused(lambda: services.get(service_id)).code == "NOT_FOUND")


@check(
    "RUN-316", source="no statement on the consistency of ListServices; a client must be ready", assumed=True
)
def test_a_list_may_be_as_it_was_a_while_ago(services: Services, faults: Faults, service_id: str) -> None:
    """A stale list does not have a service that was made since, and has one that was deleted since."""
    gone, fresh = f"{service_id}-gone", f"{service_id}-new"
    services.create(gone)
    faults.advance(60)
    services.forget(gone)
    services.create(fresh)
    faults.set("ListServices", "stale", resource="*", seconds=30)
    listed = [service.name for service in services.client.list_services(parent=services.parent, retry=None)]
    faults.lift()
    assert services.name(gone) in listed
    assert services.name(fresh) not in listed
    current = [service.name for service in services.client.list_services(parent=services.parent, retry=None)]
    assert services.name(fresh) in current
    services.forget(fresh)


@check("RUN-317", source="google.cloud.run.v2: writes are not retried by the client; google.aip.dev/194")
def test_an_error_may_come_after_the_effect(services: Services, faults: Faults, service_id: str) -> None:
    """A write that is answered with UNAVAILABLE may have been made: the name is taken when it is tried again."""
    faults.set("CreateService", "error", when="after", code="UNAVAILABLE", times=1)
    assert services.refuses(service_id, services.draft()).code == "UNAVAILABLE"
    assert services.refuses(service_id, services.draft()).code == "ALREADY_EXISTS"


@check("RUN-318", source="google.rpc.Code ABORTED and ALREADY_EXISTS: both are 409 over HTTP")
def test_the_two_conflicts_are_told_apart_by_their_status(
    services: Services, faults: Faults, service_id: str
) -> None:
    """A taken name and a stale etag are both 409 over REST; the body's status tells which it is."""
    services.create(service_id)
    taken = services.refuses(service_id, services.draft())
    stale = refused(lambda: services.update(service_id, "description", description="x", etag='"stale"'))
    assert (taken.code, stale.code) == ("ALREADY_EXISTS", "ABORTED")


@check(
    "RUN-319",
    source="no statement on the consistency of reads by name; a client must be ready for a read that is late",
    assumed=True,
)
def test_a_read_by_name_may_be_as_it_was_a_while_ago(
    services: Services, faults: Faults, service_id: str
) -> None:
    """A stale read has a service, its revision and its policy as they were, and none that was made since."""
    services.create(service_id)
    revision = services.get(service_id).latest_created_revision
    revisions = run_v2.RevisionsClient(transport=_same_connection(services))
    faults.advance(60)
    services.update(service_id, "description", description="changed")
    faults.set("Get*", "stale", resource="*", seconds=30)
    assert services.get(service_id).description == ""
    assert revisions.get_revision(name=revision, retry=None).name == revision
    faults.set("*", "stale", resource="*", seconds=3600)
    assert refused(lambda: services.get(service_id)).code == "NOT_FOUND"
    assert refused(lambda: revisions.get_revision(name=revision, retry=None)).code == "NOT_FOUND"
    faults.lift()
    assert services.get(service_id).description == "changed"


@check(
    "RUN-320", source=f"no statement on the consistency of GetOperation; {_LRO} Operation.done", assumed=True
)
def test_an_operation_may_be_done_before_it_is_seen_to_be(
    services: Services, faults: Faults, service_id: str
) -> None:
    """A stale operation is not done yet, or not there yet, though its change is in force."""
    services.create(service_id)
    faults.set("operation:UpdateService", "delay", seconds=60)
    name = _update(services, service_id).operation.name
    faults.advance(61)
    assert _operation(services, name).done
    faults.set("GetOperation", "stale", resource="*", seconds=30)
    assert not _operation(services, name).done
    faults.set("GetOperation", "stale", resource="*", seconds=3600)
    assert refused(lambda: _operation(services, name)).code == "NOT_FOUND"


@check(
    "RUN-321",
    source="google.cloud.run.v2 Condition.CommonReason PROGRESS_DEADLINE_EXCEEDED; run/docs/troubleshooting: Resource "
    "readiness deadline exceeded; github.com/NucleusEngineering/serverless issue 3: after more than 30 minutes",
    assumed=True,
)
def test_a_revision_that_gets_no_machine_in_time_has_exceeded_its_deadline(
    services: Services, faults: Faults, service_id: str
) -> None:
    """A revision for which no instance can be started in half an hour fails with PROGRESS_DEADLINE_EXCEEDED."""
    faults.set("Start", "hang")
    draft = services.draft(scaling={"scaling_mode": "MANUAL", "manual_instance_count": 1})
    operation = services.begin_create(service_id, draft)
    faults.advance(1700)
    assert not _operation(services, operation.operation.name).done
    faults.advance(200)
    with pytest.raises(exceptions.GoogleAPICallError, match="Resource readiness deadline exceeded"):
        operation.result(polling=POLLING)
    assert _operation(services, operation.operation.name).error.code == 4
    service = services.get(service_id)
    assert service.terminal_condition.reason == run_v2.Condition.CommonReason.PROGRESS_DEADLINE_EXCEEDED
    assert service.latest_ready_revision == ""
    faults.lift()
    services.update(service_id, "scaling.scaling_mode", "scaling.manual_instance_count", scaling=_OFF)
    assert services.get(service_id).terminal_condition.state == _STATE.CONDITION_SUCCEEDED


_OFF = {"scaling_mode": "MANUAL", "manual_instance_count": 0}


def _same_connection(services: Services) -> Any:
    host = services.client.transport._host
    return RevisionsRestTransport(host=host, credentials=AnonymousCredentials(), url_scheme="http")
