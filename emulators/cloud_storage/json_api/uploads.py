"""Objects received over the JSON API: in one request, multipart, or resumable."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_storage.calls import INSERT, Calls
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.json_api.partial import described
from emulators.cloud_storage.kept.names import check_object_name, is_number
from emulators.cloud_storage.kept.preconditions import json_preconditions
from emulators.cloud_storage.kept.records import ObjectRecord, object_attributes
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import body, origin, read_resource
from emulators.cloud_storage.resources import object_resource
from emulators.cloud_storage.uploads.intake import (
    Announcement,
    hashes_in_headers,
    hashes_in_resource,
    receive,
)
from emulators.cloud_storage.uploads.multipart import read_parts
from emulators.cloud_storage.uploads.ranges import parse_content_range
from emulators.cloud_storage.uploads.resumable import Progress, Uploads


class JsonUploads:
    """The endpoints under ``/upload/storage/v1/b/BUCKET/o``.

    The object's name may come with the body only, so it is from here that each call is made.
    """

    def __init__(self, store: Store, uploads: Uploads, calls: Calls) -> None:
        self._store = store
        self._uploads = uploads
        self._calls = calls

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

    async def resume(self, request: Request, bucket: str) -> Response:
        """Go on with a resumable upload; its address is the right to do so."""
        upload = self._uploads.find(request.query_params.get("upload_id", ""), bucket)

        async def go_on() -> Response:
            hashes = hashes_in_headers(request.headers)
            header = request.headers.get("content-range")
            if header is None:
                return _described(request, await upload.take_all(request.stream(), hashes))
            result = await upload.advance(parse_content_range(header), request.stream(), hashes)
            if isinstance(result, Progress):
                return Response(status_code=308, headers=result.headers)
            return _described(request, result)

        return await self._calls.go_on(INSERT, upload.bucket, upload.name, go_on)

    async def cancel(self, request: Request, bucket: str) -> Response:
        """Cancel a resumable upload."""
        await self._uploads.cancel(request.query_params.get("upload_id", ""), bucket)
        raise StorageError(Reason.UPLOAD_CANCELLED, "The upload was cancelled.")

    async def _upload_media(self, request: Request, bucket: str) -> Response:
        resource = _with_type({}, request.headers.get("content-type"))

        async def take(announced: Announcement) -> Response:
            return _described(request, await receive(self._store, announced, request.stream()))

        return await self._calls.insert(request, _announced(request, bucket, resource), take)

    async def _upload_multipart(self, request: Request, bucket: str) -> Response:
        parts = await read_parts(request.headers.get("content-type", ""), request.stream())
        resource = _with_type(parts.resource, parts.content_type)

        async def take(announced: Announcement) -> Response:
            return _described(request, await receive(self._store, announced, parts.content))

        return await self._calls.insert(request, _announced(request, bucket, resource), take)

    async def _start_resumable(self, request: Request, bucket: str) -> Response:
        resource = read_resource(await body(request))
        resource = _with_type(resource, request.headers.get("x-upload-content-type"))
        length = request.headers.get("x-upload-content-length")
        if length is not None and not is_number(length):
            raise StorageError(Reason.INVALID, f"Invalid X-Upload-Content-Length: {length!r}.")

        async def start(announced: Announcement) -> Response:
            upload_id = await self._uploads.start(announced, None if length is None else int(length))
            path = f"/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload_id}"
            headers = {"Location": origin(request) + path, "X-GUploader-UploadID": upload_id}
            return Response(status_code=200, headers=headers)

        return await self._calls.insert(request, _announced(request, bucket, resource), start)


def _described(request: Request, record: ObjectRecord) -> Response:
    headers = {"ETag": record.etag, "X-Goog-Hash": f"crc32c={record.content.crc32c}"}
    return described(request, object_resource(record, origin(request)), headers)


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
        origin=request.headers.get("origin"),
    )


def _with_type(resource: dict[str, Any], content_type: str | None) -> dict[str, Any]:
    """The resource with a content type; its own comes first."""
    if content_type and not resource.get("contentType"):
        return resource | {"contentType": content_type}
    return resource
