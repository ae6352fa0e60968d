"""Long-running operations: got, listed, waited for and deleted."""

from __future__ import annotations

from google.cloud import run_v2
from google.longrunning import operations_pb2

from tests.conformance.check import check
from tests.conformance.cloud_run.services import POLLING, Services, refused

_PROTO = "google/longrunning/operations.proto"


def _done(services: Services, service_id: str) -> operations_pb2.Operation:
    """The operation of a create, done."""
    operation = services.begin_create(service_id)
    operation.result(polling=POLLING)
    return services.client.get_operation({"name": operation.operation.name})


@check("RUN-151", source=f"{_PROTO} Operation.response, metadata")
def test_a_finished_operation_holds_the_service(services: Services, service_id: str) -> None:
    """An operation that is done has the service as its response and as its metadata, packed as Any."""
    operation = _done(services, service_id)
    assert operation.done
    for packed in (operation.response, operation.metadata):
        service = run_v2.Service.pb()()
        assert packed.Unpack(service)
        assert service.name == services.name(service_id)


@check("RUN-152", source=f"{_PROTO} Operations.WaitOperation")
def test_a_wait_answers_when_the_operation_is_done(services: Services, service_id: str) -> None:
    """A wait answers with the operation as soon as it is done."""
    name = services.begin_create(service_id).operation.name
    waited = services.client.wait_operation({"name": name, "timeout": {"seconds": 60}})
    # The stock client leaves this one answer as it came over gRPC.
    operation = operations_pb2.Operation.FromString(waited) if isinstance(waited, bytes) else waited
    assert operation.done


@check("RUN-153", source=f"{_PROTO} Operations.ListOperations")
def test_operations_can_be_listed(services: Services, service_id: str) -> None:
    """The operations of a location can be listed."""
    operation = _done(services, service_id)
    listed = services.client.list_operations({"name": services.parent, "page_size": 100})
    assert operation.name in [listed_one.name for listed_one in listed.operations]


@check("RUN-154", source=f"{_PROTO} ListOperationsRequest.page_size, page_token")
def test_operations_are_listed_in_pages(services: Services, service_id: str) -> None:
    """A page of operations has no more than was asked for, and the next page others."""
    _done(services, service_id)
    services.update(service_id, "description", description="x")
    first = services.client.list_operations({"name": services.parent, "page_size": 1})
    assert len(first.operations) == 1
    assert first.next_page_token
    following = {"name": services.parent, "page_size": 1, "page_token": first.next_page_token}
    second = services.client.list_operations(following)
    assert second.operations[0].name != first.operations[0].name


@check("RUN-155", source=f"{_PROTO} Operations.DeleteOperation: it does not cancel the operation")
def test_a_deleted_operation_is_forgotten_and_nothing_else(services: Services, service_id: str) -> None:
    """A deleted operation is NOT_FOUND, and what it was about is still there."""
    operation = _done(services, service_id)
    services.client.delete_operation({"name": operation.name})
    assert refused(lambda: services.client.get_operation({"name": operation.name})).code == "NOT_FOUND"
    assert services.get(service_id).generation == 1


@check("RUN-156", source="google/rpc/code.proto NOT_FOUND")
def test_a_missing_operation_is_not_found(services: Services) -> None:
    """An operation that does not exist is NOT_FOUND for a get, a wait and a delete."""
    request = {"name": f"{services.parent}/operations/none"}
    client = services.client
    for call in (client.get_operation, client.wait_operation, client.delete_operation):
        assert refused(lambda call=call: call(request)).code == "NOT_FOUND"


@check("RUN-157", source=f"{_PROTO} Operation.error, a google.rpc.Status", assumed=True)
def test_a_failed_operation_holds_a_status(services: Services, service_id: str) -> None:
    """An operation that failed has a status instead of a response; for an image that is missing its code is 5."""
    missing = services.draft({"image": f"{services.image.partition('@')[0]}@sha256:{'b' * 64}"})
    operation = services.begin_create(service_id, missing)
    refused(lambda: operation.result(polling=POLLING))
    failed = services.client.get_operation({"name": operation.operation.name})
    assert failed.WhichOneof("result") == "error"
    assert failed.error.code == 5
    assert failed.error.message
