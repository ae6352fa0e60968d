"""Buckets over the JSON API: create, read, change, list, delete."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.json_api.bucket_attributes import (
    merged_attributes,
    new_attributes,
    replaced_attributes,
)
from emulators.cloud_storage.json_api.partial import described
from emulators.cloud_storage.kept.buckets import Bucket
from emulators.cloud_storage.kept.listing import list_keys, page_token, parse_list_request
from emulators.cloud_storage.kept.names import check_bucket_name
from emulators.cloud_storage.kept.preconditions import json_preconditions
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import body, flag, origin, read_resource
from emulators.cloud_storage.resources import bucket_resource


class JsonBuckets:
    """The endpoints under ``/storage/v1/b``."""

    def __init__(self, store: Store, project: str) -> None:
        self._store = store
        self._project = project

    async def create(self, request: Request) -> Response:
        """Create a bucket."""
        resource = read_resource(await body(request))
        name = check_bucket_name(resource.get("name"))
        bucket = await self._store.put_bucket(name, new_attributes(resource, self._store.now()))
        return self._described(request, bucket)

    async def list(self, request: Request) -> Response:
        """One page of the buckets."""
        _refuse_soft_deleted(request)
        keys = [(name, 0) for name in sorted(self._store.buckets)]
        page = list_keys(keys, parse_list_request(request.query_params))
        buckets = [self._store.buckets[name] for name, _ in page.keys]
        items = [bucket_resource(bucket, self._project, origin(request)) for bucket in buckets]
        result: dict[str, Any] = {"kind": "storage#buckets", "items": items}
        if page.next_at is not None:
            result["nextPageToken"] = page_token(page.next_at)
        return described(request, result)

    async def get(self, request: Request, name: str) -> Response:
        """A bucket's resource."""
        _refuse_soft_deleted(request)
        bucket = self._store.bucket(name)
        json_preconditions(request.query_params, request.headers).check(bucket, reading=True)
        return self._described(request, bucket)

    async def patch(self, request: Request, name: str) -> Response:
        """Change some attributes; null removes one."""
        change = read_resource(await body(request))
        conditions = json_preconditions(request.query_params, request.headers)
        bucket = await self._store.change_bucket(
            name, lambda old: merged_attributes(old, change, self._store.now()), conditions
        )
        return self._described(request, bucket)

    async def update(self, request: Request, name: str) -> Response:
        """Replace all attributes."""
        resource = read_resource(await body(request))
        conditions = json_preconditions(request.query_params, request.headers)
        bucket = await self._store.change_bucket(
            name, lambda old: replaced_attributes(old, resource, self._store.now()), conditions
        )
        return self._described(request, bucket)

    async def delete(self, request: Request, name: str) -> Response:
        """Remove an empty bucket."""
        conditions = json_preconditions(request.query_params, request.headers)
        await self._store.delete_bucket(name, conditions)
        return Response(status_code=204)

    def _described(self, request: Request, bucket: Bucket) -> Response:
        resource = bucket_resource(bucket, self._project, origin(request))
        return described(request, resource, {"ETag": bucket.etag})


def _refuse_soft_deleted(request: Request) -> None:
    if flag(request.query_params, "softDeleted"):
        raise StorageError(Reason.UNSUPPORTED, "This emulator soft-deletes objects, not buckets.")
