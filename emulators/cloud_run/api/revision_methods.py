"""The methods of `google.cloud.run.v2.Revisions`."""

from __future__ import annotations

from google.cloud.run_v2 import types as run
from google.longrunning.operations_pb2 import Operation

from emulators.cloud_run.api.interface import Interface
from emulators.cloud_run.api.names import ANY, Names
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.model.revision_resource import Revision
from emulators.cloud_run.paging import page_of
from emulators.cloud_run.retirement import Retirement
from emulators.cloud_run.revisions import Revisions
from emulators.faults.gate import FaultGate
from emulators.rpc.method import Message, Method

_REVISIONS = Interface("google.cloud.run.v2.Revisions")
_ALL = "/v2/{parent=projects/*/locations/*/services/*}/revisions"
_ONE = "/v2/{name=projects/*/locations/*/services/*/revisions/*}"
_List = run.ListRevisionsResponse.pb()


class RevisionMethods:
    """Reads of the revisions, stale when a fault says so, and the delete of a retired one."""

    def __init__(
        self, revisions: Revisions, retirement: Retirement, catalog: Catalog, names: Names, gate: FaultGate
    ) -> None:
        self._revisions = revisions
        self._retirement = retirement
        self._catalog = catalog
        self._names = names
        self._gate = gate

    def methods(self) -> list[Method]:
        """The method table."""
        return [
            _REVISIONS.method(run.GetRevisionRequest.pb(), Revision, f"GET {_ONE}", self.get),
            _REVISIONS.method(run.ListRevisionsRequest.pb(), _List, f"GET {_ALL}", self.list),
            _REVISIONS.method(run.DeleteRevisionRequest.pb(), Operation, f"DELETE {_ONE}", self.delete),
        ]

    async def get(self, request: Message) -> Message:
        """GetRevision."""
        ids = self._names.revision(request.name)
        return self._revisions.get(*ids, self._gate.ago("GetRevision", request.name))

    async def list(self, request: Message) -> Message:
        """ListRevisions; newest first, of one service or, for `-`, of all."""
        service_id = self._names.service(request.parent, "parent")
        ago = self._gate.ago("ListRevisions", request.parent)
        if service_id != ANY:
            self._catalog.get(service_id, ago)
        listed = self._revisions.newest_first(None if service_id == ANY else service_id, ago)
        page = page_of(listed, request.page_size, request.page_token)
        return _List(revisions=page.items, next_page_token=page.next_token)

    async def delete(self, request: Message) -> Message:
        """DeleteRevision."""
        service_id, revision_id = self._names.revision(request.name)
        return await self._retirement.delete(
            service_id, revision_id, request.etag, validate_only=request.validate_only
        )
