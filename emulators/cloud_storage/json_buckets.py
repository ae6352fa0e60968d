"""Buckets over the JSON API: create, read, change, list, delete."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.listing import list_names, page_token, parse_list_request
from emulators.cloud_storage.names import check_bucket_name
from emulators.cloud_storage.preconditions import json_preconditions
from emulators.cloud_storage.requests import body, number, origin, read_resource, section
from emulators.cloud_storage.resources import bucket_resource
from emulators.cloud_storage.store import Bucket, Store

_ATTRIBUTES = frozenset(
    {"autoclass", "cors", "iamConfiguration", "labels", "lifecycle", "location", "storageClass", "website"}
)
"""What a bucket remembers.  Rules among them (lifecycle) are kept, not carried out."""


class JsonBuckets:
    """The endpoints under ``/storage/v1/b``."""

    def __init__(self, store: Store, project: str) -> None:
        self._store = store
        self._project = project

    async def create(self, request: Request) -> Response:
        """Create a bucket."""
        resource = read_resource(await body(request))
        name = check_bucket_name(resource.get("name"))
        bucket = await self._store.put_bucket(name, _attributes(resource))
        return self._described(request, bucket)

    async def list(self, request: Request) -> Response:
        """One page of the buckets."""
        page = list_names(sorted(self._store.buckets), parse_list_request(request.query_params))
        buckets = [self._store.buckets[name] for name in page.names]
        items = [bucket_resource(bucket, self._project, origin(request)) for bucket in buckets]
        result: dict[str, Any] = {"kind": "storage#buckets", "items": items}
        if page.next_after is not None:
            result["nextPageToken"] = page_token(page.next_after)
        return JSONResponse(result)

    async def get(self, request: Request, name: str) -> Response:
        """A bucket's resource."""
        bucket = self._store.bucket(name)
        json_preconditions(request.query_params, request.headers).check(bucket, reading=True)
        return self._described(request, bucket)

    async def patch(self, request: Request, name: str) -> Response:
        """Change some attributes; null removes one."""
        change = read_resource(await body(request))
        conditions = json_preconditions(request.query_params, request.headers)
        bucket = await self._store.change_bucket(name, lambda old: _merged(old, change), conditions)
        return self._described(request, bucket)

    async def update(self, request: Request, name: str) -> Response:
        """Replace all attributes."""
        attributes = _attributes(read_resource(await body(request)))
        conditions = json_preconditions(request.query_params, request.headers)
        bucket = await self._store.change_bucket(name, lambda _: attributes, conditions)
        return self._described(request, bucket)

    async def delete(self, request: Request, name: str) -> Response:
        """Remove an empty bucket."""
        conditions = json_preconditions(request.query_params, request.headers)
        await self._store.delete_bucket(name, conditions)
        return Response(status_code=204)

    def _described(self, request: Request, bucket: Bucket) -> Response:
        resource = bucket_resource(bucket, self._project, origin(request))
        return JSONResponse(resource, headers={"ETag": bucket.etag})


def _merged(old: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = old | change
    if change.get("labels") is not None:
        labels = section(old, "labels") | section(change, "labels")
        merged["labels"] = {name: value for name, value in labels.items() if value is not None}
    return _attributes(merged)


def _attributes(resource: dict[str, Any]) -> dict[str, Any]:
    if section(resource, "versioning").get("enabled"):
        raise StorageError(Reason.UNSUPPORTED, "This emulator has no object versioning.")
    if number(section(resource, "softDeletePolicy"), "retentionDurationSeconds"):
        raise StorageError(Reason.UNSUPPORTED, "This emulator has no soft delete.")
    for name in ("retentionPolicy", "encryption", "defaultEventBasedHold", "hierarchicalNamespace"):
        if resource.get(name):
            raise StorageError(Reason.UNSUPPORTED, f"This emulator does not support a bucket's {name}.")
    return {name: value for name, value in resource.items() if name in _ATTRIBUTES and value is not None}
