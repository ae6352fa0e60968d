"""Objects over the JSON API: read, change, list, delete, and receive in every kind of upload."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulators.cloud_storage.downloads import download
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.intake import (
    Announcement,
    hashes_in_headers,
    hashes_in_resource,
    receive,
)
from emulators.cloud_storage.listing import list_names, page_token, parse_list_request
from emulators.cloud_storage.multipart import read_parts
from emulators.cloud_storage.names import check_object_name
from emulators.cloud_storage.preconditions import json_preconditions
from emulators.cloud_storage.ranges import parse_content_range
from emulators.cloud_storage.records import ObjectRecord, merge_attributes, object_attributes
from emulators.cloud_storage.requests import body, origin, read_resource
from emulators.cloud_storage.resources import object_resource
from emulators.cloud_storage.resumable import Progress, Uploads
from emulators.cloud_storage.store import Store


class JsonObjects:
    """The endpoints under ``/storage/v1/b/BUCKET/o`` and ``/upload``."""

    def __init__(self, store: Store, uploads: Uploads) -> None:
        self._store = store
        self._uploads = uploads

    async def list(self, request: Request, bucket: str) -> Response:
        """One page of a bucket's objects."""
        held = self._store.bucket(bucket)
        page = list_names(held.names, parse_list_request(request.query_params))
        result: dict[str, Any] = {"kind": "storage#objects"}
        if page.names:
            result["items"] = [object_resource(held.objects[name], origin(request)) for name in page.names]
        if page.prefixes:
            result["prefixes"] = page.prefixes
        if page.next_after is not None:
            result["nextPageToken"] = page_token(page.next_after)
        return JSONResponse(result)

    async def get(self, request: Request, bucket: str, name: str) -> Response:
        """An object's resource, or its bytes."""
        if request.query_params.get("alt") == "media":
            return await self.download(request, bucket, name)
        return self._described(request, self._readable(request, bucket, name))

    async def download(self, request: Request, bucket: str, name: str) -> Response:
        """An object's bytes."""
        return download(self._store, self._readable(request, bucket, name), request)

    async def patch(self, request: Request, bucket: str, name: str) -> Response:
        """Change some attributes."""
        change = read_resource(await body(request))
        return await self._change(request, bucket, name, lambda old: merge_attributes(old, change))

    async def update(self, request: Request, bucket: str, name: str) -> Response:
        """Replace all attributes."""
        attributes = object_attributes(read_resource(await body(request)))
        return await self._change(request, bucket, name, lambda _: attributes)

    async def delete(self, request: Request, bucket: str, name: str) -> Response:
        """Remove an object."""
        query = request.query_params
        conditions = json_preconditions(query, request.headers)
        await self._store.delete_object(bucket, name, query.get("generation"), conditions)
        return Response(status_code=204)

    async def upload(self, request: Request, bucket: str) -> Response:
        """Receive an object, or start a resumable upload."""
        kind = request.query_params.get("uploadType")
        if kind == "media":
            return await self._upload_media(request, bucket)
        if kind == "multipart":
            return await self._upload_multipart(request, bucket)
        if kind == "resumable":
            return await self._start_resumable(request, bucket)
        raise StorageError(Reason.INVALID, f"Invalid uploadType: {kind!r}.")

    async def resume(self, request: Request, _bucket: str) -> Response:
        """Go on with a resumable upload."""
        upload = self._uploads.find(request.query_params.get("upload_id", ""))
        hashes = hashes_in_headers(request.headers)
        header = request.headers.get("content-range")
        if header is None:
            return self._described(request, await upload.take_all(request.stream(), hashes))
        result = await upload.advance(parse_content_range(header), request.stream(), hashes)
        if isinstance(result, Progress):
            return Response(status_code=308, headers=result.headers)
        return self._described(request, result)

    async def cancel(self, request: Request, _bucket: str) -> Response:
        """Cancel a resumable upload."""
        await self._uploads.cancel(request.query_params.get("upload_id", ""))
        raise StorageError(Reason.UPLOAD_CANCELLED, "The upload was cancelled.")

    async def _upload_media(self, request: Request, bucket: str) -> Response:
        resource = _with_type({}, request.headers.get("content-type"))
        announced = _announced(request, bucket, resource)
        return self._described(request, await receive(self._store, announced, request.stream()))

    async def _upload_multipart(self, request: Request, bucket: str) -> Response:
        parts = await read_parts(request.headers.get("content-type", ""), request.stream())
        announced = _announced(request, bucket, _with_type(parts.resource, parts.content_type))
        return self._described(request, await receive(self._store, announced, parts.content))

    async def _start_resumable(self, request: Request, bucket: str) -> Response:
        resource = read_resource(await body(request))
        resource = _with_type(resource, request.headers.get("x-upload-content-type"))
        announced = _announced(request, bucket, resource)
        length = request.headers.get("x-upload-content-length")
        if length is not None and not length.isdecimal():
            raise StorageError(Reason.INVALID, f"Invalid X-Upload-Content-Length: {length!r}.")
        upload_id = self._uploads.start(announced, None if length is None else int(length))
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload_id}"
        headers = {"Location": origin(request) + path, "X-GUploader-UploadID": upload_id}
        return Response(status_code=200, headers=headers)

    def _readable(self, request: Request, bucket: str, name: str) -> ObjectRecord:
        record = self._store.object(bucket, name, request.query_params.get("generation"))
        json_preconditions(request.query_params, request.headers).check(record, reading=True)
        return record

    async def _change(self, request: Request, bucket: str, name: str, change: Any) -> Response:
        record = self._store.object(bucket, name, request.query_params.get("generation"))
        conditions = json_preconditions(request.query_params, request.headers)
        return self._described(request, await self._store.change_object(record, change, conditions))

    def _described(self, request: Request, record: ObjectRecord) -> Response:
        headers = {"ETag": record.etag, "X-Goog-Hash": f"crc32c={record.content.crc32c}"}
        return JSONResponse(object_resource(record, origin(request)), headers=headers)


def _announced(request: Request, bucket: str, resource: Mapping[str, Any]) -> Announcement:
    query = request.query_params
    attributes = object_attributes(dict(resource))
    if encoding := query.get("contentEncoding"):
        attributes["contentEncoding"] = encoding
    # An upload has no object to compare an If-Match with; its headers are those of the transfer.
    return Announcement(
        bucket=bucket,
        name=check_object_name(query.get("name") or resource.get("name")),
        attributes=attributes,
        conditions=json_preconditions(query, {}),
        hashes=hashes_in_resource(resource) | hashes_in_headers(request.headers),
    )


def _with_type(resource: dict[str, Any], content_type: str | None) -> dict[str, Any]:
    """The resource with a content type; its own comes first."""
    if content_type and not resource.get("contentType"):
        return resource | {"contentType": content_type}
    return resource
