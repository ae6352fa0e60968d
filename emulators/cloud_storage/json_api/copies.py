"""How do objects come from objects?  Copy, rewrite and move, without sending bytes again."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.json_api.partial import described
from emulators.cloud_storage.json_api.rewrites import Rewrite, go_on, step_of
from emulators.cloud_storage.kept.buckets import Bucket
from emulators.cloud_storage.kept.names import check_object_name
from emulators.cloud_storage.kept.preconditions import json_preconditions, source_preconditions
from emulators.cloud_storage.kept.records import HOLDS, ObjectRecord, object_attributes
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import body, origin, read_resource
from emulators.cloud_storage.resources import object_resource


@dataclass(frozen=True, slots=True)
class _Plan:
    """A copy that may be made: of what, where to, with which attributes."""

    source: ObjectRecord
    bucket: Bucket
    name: str
    attributes: dict[str, Any]

    @property
    def stays_in_place(self) -> bool:
        """Whether neither the location nor the class of the bytes changes."""
        return bool(self.source.storage_class == self.attributes["storageClass"])


class Copies:
    """The endpoints that make one object of another."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def rewrite(self, request: Request, *names: str) -> Response:
        """Copy; in several calls when the class or location changes and the client bounds each call."""
        plan = await self._planned(request, *names)
        query, size, now = request.query_params, plan.source.content.size, self._store.now()
        step = step_of(query.get("maxBytesRewrittenPerCall"), size)
        bucket = self._store.bucket(plan.source.bucket)
        if plan.stays_in_place and bucket.location == plan.bucket.location:
            step = max(size, 1)
        source = f"{plan.source.bucket}/{plan.source.name}#{plan.source.generation}"
        begun = Rewrite(source, f"{plan.bucket.name}/{plan.name}", size, step, now.isoformat())
        rewrite = go_on(begun, query.get("rewriteToken"), now).advanced()
        result: dict[str, Any] = {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(rewrite.done),
            "objectSize": str(size),
            "done": rewrite.is_done,
        }
        if not rewrite.is_done:
            return described(request, result | {"rewriteToken": rewrite.token})
        record = await self._made(request, plan)
        return described(request, result | {"resource": object_resource(record, origin(request))})

    async def copy(self, request: Request, *names: str) -> Response:
        """Copy in one call, answering with the new object."""
        record = await self._made(request, await self._planned(request, *names))
        return described(request, object_resource(record, origin(request)))

    async def move(self, request: Request, bucket: str, name: str, new_name: str) -> Response:
        """Rename within a bucket, in one step."""
        check_object_name(new_name)
        if name == new_name:
            raise StorageError(Reason.INVALID, "The source and destination object names must differ.")
        query = request.query_params
        source = self._store.object(bucket, name)
        record = await self._store.move_object(
            source, new_name, source_preconditions(query), json_preconditions(query, {})
        )
        return described(request, object_resource(record, origin(request)))

    async def _planned(
        self, request: Request, bucket: str, name: str, new_bucket: str, new_name: str
    ) -> _Plan:
        resource = read_resource(await body(request))
        check_object_name(new_name)
        query, target = request.query_params, self._store.bucket(new_bucket)
        source = self._store.object(bucket, name, query.get("sourceGeneration"))
        source_preconditions(query).check(source)
        json_preconditions(query, {}).check(target.objects.get(new_name))
        return _Plan(source, target, new_name, _attributes(resource, source, target))

    async def _made(self, request: Request, plan: _Plan) -> ObjectRecord:
        source, conditions = plan.source, json_preconditions(request.query_params, {})
        moved = not plan.stays_in_place
        components = 1 if source.components and moved else source.components
        # A composed object has no md5, wherever it goes.
        content = self._store.copy(source.content)
        return await self._store.put_object(
            plan.bucket.name, plan.name, content, plan.attributes, conditions, components
        )


def _attributes(resource: dict[str, Any], source: ObjectRecord, target: Bucket) -> dict[str, Any]:
    """The attributes of the copy: the source's but for its class and holds, unless some are given."""
    given = object_attributes(resource)
    if given.keys() <= {"storageClass"}:
        left_behind = {"storageClass", *HOLDS}
        given = {k: v for k, v in source.attributes.items() if k not in left_behind} | given
    return {"storageClass": target.storage_class} | given
