"""The methods of `google.longrunning.Operations`."""

from __future__ import annotations

from datetime import timedelta

from google.longrunning import operations_pb2 as longrunning
from google.protobuf.empty_pb2 import Empty

from emulators.cloud_run.api.interface import Interface
from emulators.cloud_run.api.names import Names
from emulators.cloud_run.model.errors import invalid
from emulators.cloud_run.operations import Operations
from emulators.faults.gate import FaultGate
from emulators.rpc.method import Message, Method

_OPERATIONS = Interface("google.longrunning.Operations")
_ALL = "/v2/{name=projects/*/locations/*}/operations"
_ONE = "/v2/{name=projects/*/locations/*/operations/*}"
_LONGEST_WAIT_SECONDS = 60.0
_List = longrunning.ListOperationsResponse


class OperationMethods:
    """Each is one call of `Operations`; reads are stale when a fault says so."""

    def __init__(self, operations: Operations, names: Names, gate: FaultGate) -> None:
        self._operations = operations
        self._gate = gate
        self._names = names

    def methods(self) -> list[Method]:
        """The method table."""
        operation = longrunning.Operation
        return [
            _OPERATIONS.method(longrunning.GetOperationRequest, operation, f"GET {_ONE}", self.get),
            _OPERATIONS.method(longrunning.ListOperationsRequest, _List, f"GET {_ALL}", self.list),
            _OPERATIONS.method(
                longrunning.WaitOperationRequest, operation, f"POST {_ONE}:wait", self.wait, "*"
            ),
            _OPERATIONS.method(longrunning.DeleteOperationRequest, Empty, f"DELETE {_ONE}", self.delete),
        ]

    async def get(self, request: Message) -> Message:
        """GetOperation."""
        operation_id = self._names.operation(request.name)
        return self._operations.get(operation_id, self._gate.ago("GetOperation", request.name))

    async def list(self, request: Message) -> Message:
        """ListOperations; newest first."""
        self._names.location(request.name, "name")
        ago = self._gate.ago("ListOperations", request.name)
        page = self._operations.page(request.page_size, request.page_token, ago)
        return _List(operations=page.items, next_page_token=page.next_token)

    async def wait(self, request: Message) -> Message:
        """WaitOperation: done, or as it is when the time is up."""
        asked = request.timeout.seconds if request.HasField("timeout") else _LONGEST_WAIT_SECONDS
        if asked < 0:
            raise invalid("timeout", "timeout must not be negative.")
        longest = min(asked + request.timeout.nanos / 1e9, _LONGEST_WAIT_SECONDS)
        return await self._operations.wait(self._names.operation(request.name), timedelta(seconds=longest))

    async def delete(self, request: Message) -> Message:
        """DeleteOperation."""
        await self._operations.delete(self._names.operation(request.name))
        return Empty()
