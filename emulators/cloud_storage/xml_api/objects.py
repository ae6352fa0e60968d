"""Objects over signed URLs: the XML API's GET, HEAD, PUT, DELETE and the start of a resumable upload.

Nobody is let in without a verified signature, but by the id of an upload that a signed request started, and for
multipart uploads, where the stock client sends none and is an owner as in the JSON API.
"""

import re
from collections.abc import AsyncIterator
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_storage.access.signed_urls import UNSIGNED_PAYLOAD, parse_query, parse_signed_request
from emulators.cloud_storage.access.signers import Signers
from emulators.cloud_storage.calls import Calls
from emulators.cloud_storage.downloads import download
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.names import check_object_name, xml_path
from emulators.cloud_storage.kept.preconditions import xml_preconditions
from emulators.cloud_storage.kept.records import ObjectRecord, is_header_safe, object_attributes
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import origin
from emulators.cloud_storage.resources import object_headers
from emulators.cloud_storage.uploads.intake import Announcement, SizeLimits, hashes_in_headers, receive
from emulators.cloud_storage.uploads.parts import PartFiles
from emulators.cloud_storage.uploads.ranges import parse_content_range
from emulators.cloud_storage.uploads.resumable import Progress, Uploads
from emulators.cloud_storage.xml_api.forms import PostObjects
from emulators.cloud_storage.xml_api.multipart import XmlMultipart

_METHODS = {
    "GET": "storage.objects.get",
    "HEAD": "storage.objects.get",
    "PUT": "storage.objects.insert",
    "POST": "storage.objects.insert",
    "DELETE": "storage.objects.delete",
}
"""What faults call them: the names of the JSON API, as the effect is the same."""
_LENGTH_RANGE = re.compile(r"(\d{1,19}),(\d{1,19})", re.ASCII)
_ATTRIBUTE_HEADERS = {
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "content-type": "contentType",
}
_RESPONSE_PARAMETERS = {
    "response-content-disposition": "Content-Disposition",
    "response-content-type": "Content-Type",
}


class XmlObjects:
    """The endpoints under ``/BUCKET/OBJECT``."""

    def __init__(
        self,
        store: Store,
        uploads: Uploads,
        parts: PartFiles,
        signers: Signers,
        calls: Calls,
        *,
        signed_only: bool,
    ) -> None:
        self._store = store
        self._uploads = uploads
        self._signers = signers
        self._calls = calls
        self._signed_only = signed_only
        self._forms = PostObjects(store, signers, calls)
        self._multipart = XmlMultipart(store, parts, calls)

    async def answer(self, request: Request, bucket: str, name: str) -> Response:
        """Verify the signature, then do what the method says."""
        query = dict(parse_query(request.scope["query_string"]))
        if not name and request.method == "POST" and not query:
            return await self._forms.post(request, bucket)
        if not name:
            raise StorageError(Reason.UNSUPPORTED, "This emulator has no XML API for buckets.")
        if request.method in {"PUT", "DELETE"} and "upload_id" in query:
            return await self._resume(request, bucket, name, query["upload_id"])
        in_parts = not query.keys().isdisjoint({"uploads", "uploadId"})
        if not in_parts or self._signed_only or "X-Goog-Signature" in query:
            await self._verify(request, query)
        if in_parts:
            return await self._multipart.answer(request, _announced(request, bucket, name), query)

        async def act() -> Response:
            return await self._act(request, bucket, name, query)

        return await self._calls.go_on(_METHODS.get(request.method, ""), bucket, name, act)

    async def _act(self, request: Request, bucket: str, name: str, query: dict[str, str]) -> Response:
        if request.method in {"GET", "HEAD"}:
            return self._read(request, bucket, name, query)
        if request.method == "PUT":
            return _accepted(await receive(self._store, _announced(request, bucket, name), _signed(request)))
        if request.method == "DELETE":
            conditions = xml_preconditions(request.headers)
            await self._store.delete_object(bucket, name, query.get("generation"), conditions)
            return Response(status_code=204)
        if request.method == "POST" and request.headers.get("x-goog-resumable") == "start":
            return await self._start(request, bucket, name)
        raise StorageError(Reason.UNSUPPORTED, f"This emulator does not do this {request.method}.")

    async def _verify(self, request: Request, query: dict[str, str]) -> None:
        if "X-Goog-Signature" not in query:
            message = "Anonymous caller does not have access. Use the JSON API or a V4 signed URL."
            raise StorageError(Reason.DENIED, message)
        scope = request.scope
        signed = parse_signed_request(
            request.method, scope["raw_path"], scope["query_string"], request.headers
        )
        await self._signers.verify(signed)

    def _read(self, request: Request, bucket: str, name: str, query: dict[str, str]) -> Response:
        record = self._store.object(bucket, name, query.get("generation"))
        xml_preconditions(request.headers).check(record, reading=True)
        response = download(self._store, record, request)
        for parameter, header in _RESPONSE_PARAMETERS.items():
            if is_header_safe(query.get(parameter, "")) and query.get(parameter):
                response.headers[header] = query[parameter]
        return response

    async def _start(self, request: Request, bucket: str, name: str) -> Response:
        upload_id = await self._uploads.start(_announced(request, bucket, name), None)
        location = f"{origin(request)}{xml_path(bucket, name)}?upload_id={upload_id}"
        return Response(status_code=201, headers={"Location": location, "X-GUploader-UploadID": upload_id})

    async def _resume(self, request: Request, bucket: str, name: str, upload_id: str) -> Response:
        if request.method == "DELETE":
            await self._uploads.cancel(upload_id, bucket, name)
            return Response(status_code=204)
        upload = self._uploads.find(upload_id, bucket, name)

        async def go_on() -> Response:
            hashes = hashes_in_headers(request.headers)
            header = request.headers.get("content-range")
            if header is None:
                return _accepted(await upload.take_all(request.stream(), hashes))
            result = await upload.advance(parse_content_range(header), request.stream(), hashes)
            if isinstance(result, Progress):
                return Response(status_code=308, headers=result.headers)
            return _accepted(result)

        return await self._calls.go_on(_METHODS["PUT"], upload.bucket, upload.name, go_on)


async def _signed(request: Request) -> AsyncIterator[bytes]:
    """The body; raises at its end unless it is the one that was signed, if one was."""
    expected, digest = request.headers.get("x-goog-content-sha256", UNSIGNED_PAYLOAD), sha256()
    async for data in request.stream():
        digest.update(data)
        yield data
    if expected not in (UNSIGNED_PAYLOAD, digest.hexdigest()):
        raise StorageError(Reason.BAD_DIGEST, "The content is not the one of x-goog-content-sha256.")


def _accepted(record: ObjectRecord) -> Response:
    return Response(status_code=200, headers=object_headers(record))


def _announced(request: Request, bucket: str, name: str) -> Announcement:
    headers = request.headers
    resource = {
        attribute: headers[header] for header, attribute in _ATTRIBUTE_HEADERS.items() if header in headers
    }
    prefix = "x-goog-meta-"
    metadata = {key.removeprefix(prefix): value for key, value in headers.items() if key.startswith(prefix)}
    return Announcement(
        bucket=bucket,
        name=check_object_name(name),
        attributes=object_attributes(resource | {"metadata": metadata}),
        conditions=xml_preconditions(headers),
        hashes=hashes_in_headers(headers),
        limits=_limits(headers.get("x-goog-content-length-range")),
        origin=headers.get("origin"),
    )


def _limits(header: str | None) -> SizeLimits | None:
    if header is None:
        return None
    match = _LENGTH_RANGE.fullmatch(header.replace(" ", ""))
    if match is None:
        raise StorageError(Reason.INVALID, f"Invalid x-goog-content-length-range: {header!r}.")
    return SizeLimits(int(match[1]), int(match[2]))
