"""Objects over the JSON API: read, change, list, delete, restore."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_storage.downloads import download
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.json_api.partial import described
from emulators.cloud_storage.kept.buckets import Bucket, Shelf
from emulators.cloud_storage.kept.listing import list_keys, page_token, parse_list_request
from emulators.cloud_storage.kept.preconditions import json_preconditions
from emulators.cloud_storage.kept.records import ObjectRecord, merge_attributes, replace_attributes
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import body, flag, origin, read_resource
from emulators.cloud_storage.resources import object_resource


class JsonObjects:
    """The endpoints under ``/storage/v1/b/BUCKET/o``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, request: Request, bucket: str) -> Response:
        """One page of a bucket's objects: the live ones, all versions, or the soft-deleted ones."""
        asked = parse_list_request(request.query_params)
        shelf = await self._shelf(self._store.bucket(bucket), request)
        page = list_keys(shelf.keys, asked)
        result: dict[str, Any] = {"kind": "storage#objects"}
        if page.keys:
            result["items"] = [object_resource(shelf.records[key], origin(request)) for key in page.keys]
        if page.prefixes:
            result["prefixes"] = page.prefixes
        if page.next_at is not None:
            result["nextPageToken"] = page_token(page.next_at)
        return described(request, result)

    async def get(self, request: Request, bucket: str, name: str) -> Response:
        """An object's resource, or its bytes."""
        if request.query_params.get("alt") == "media":
            return await self.download(request, bucket, name)
        return self._described(request, self._readable(request, bucket, name))

    async def download(self, request: Request, bucket: str, name: str) -> Response:
        """An object's bytes."""
        record = self._readable(request, bucket, name)
        if record.soft_deleted is not None:
            raise StorageError(Reason.INVALID, "A soft-deleted object cannot be read. Restore it first.")
        return download(self._store, record, request)

    async def patch(self, request: Request, bucket: str, name: str) -> Response:
        """Change some attributes."""
        change = read_resource(await body(request))
        return await self._change(request, bucket, name, lambda old: merge_attributes(old, change))

    async def update(self, request: Request, bucket: str, name: str) -> Response:
        """Replace all attributes."""
        resource = read_resource(await body(request))
        return await self._change(request, bucket, name, lambda old: replace_attributes(old, resource))

    async def delete(self, request: Request, bucket: str, name: str) -> Response:
        """Remove an object."""
        query = request.query_params
        conditions = json_preconditions(query, request.headers)
        await self._store.delete_object(bucket, name, query.get("generation"), conditions)
        return Response(status_code=204)

    async def restore(self, request: Request, bucket: str, name: str) -> Response:
        """Make a copy of a soft-deleted version live."""
        query = request.query_params
        if flag(query, "copySourceAcl"):
            raise StorageError(Reason.UNSUPPORTED, "This emulator does not support copySourceAcl.")
        conditions = json_preconditions(query, {})
        record = await self._store.restore_object(bucket, name, query.get("generation"), conditions)
        return self._described(request, record)

    async def _shelf(self, bucket: Bucket, request: Request) -> Shelf:
        versions, soft_deleted = (flag(request.query_params, name) for name in ("versions", "softDeleted"))
        if versions and soft_deleted:
            raise StorageError(Reason.INVALID, "versions and softDeleted cannot be asked for together.")
        if soft_deleted:
            await self._store.purge(bucket)
            return bucket.soft_deleted
        return bucket.versions if versions else bucket.live

    def _readable(self, request: Request, bucket: str, name: str) -> ObjectRecord:
        generation = request.query_params.get("generation")
        of_kind = (
            self._store.soft_deleted if flag(request.query_params, "softDeleted") else self._store.object
        )
        record = of_kind(bucket, name, generation)
        json_preconditions(request.query_params, request.headers).check(record, reading=True)
        return record

    async def _change(
        self,
        request: Request,
        bucket: str,
        name: str,
        change: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Response:
        generation = request.query_params.get("generation")
        conditions = json_preconditions(request.query_params, request.headers)
        record = await self._store.change_object(bucket, name, generation, change, conditions)
        return self._described(request, record)

    def _described(self, request: Request, record: ObjectRecord) -> Response:
        headers = {"ETag": record.etag, "X-Goog-Hash": f"crc32c={record.content.crc32c}"}
        return described(request, object_resource(record, origin(request)), headers)
