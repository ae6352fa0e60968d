"""Objects by HTML form: the XML API's POST, with a signed policy document that says what may be sent."""

from collections.abc import Mapping
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_storage.access.signers import Signers
from emulators.cloud_storage.calls import Calls
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.names import check_object_name, xml_path
from emulators.cloud_storage.kept.preconditions import Preconditions
from emulators.cloud_storage.kept.records import ObjectRecord, object_attributes
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import origin
from emulators.cloud_storage.uploads.intake import Announcement, receive
from emulators.cloud_storage.uploads.multipart import read_form
from emulators.cloud_storage.xml_api.post_policy import PostPolicy, parse_policy, signed_form

_INSERT = "storage.objects.insert"
_META = "x-goog-meta-"
_ACLS = ("acl", "x-goog-acl")
_CONDITIONS = ("x-goog-if-", "x-goog-content-")
"""No page says whether a form can have them, so none is taken for something that it may not be."""
_ATTRIBUTES = {
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-type": "contentType",
}


class PostObjects:
    """The endpoint ``POST /BUCKET/``."""

    def __init__(self, store: Store, signers: Signers, calls: Calls) -> None:
        self._store = store
        self._signers = signers
        self._calls = calls

    async def post(self, request: Request, bucket: str) -> Response:
        """Check the form against its policy, and store its file."""
        form = await read_form(request.headers.get("content-type", ""), request.stream())
        fields = {name.lower(): value for name, value in form.fields.items()}
        if "policy" not in fields:
            raise StorageError(
                Reason.DENIED, "Anonymous caller does not have access: the form has no policy."
            )
        policy = parse_policy(fields["policy"])
        await self._signers.verify(signed_form(fields, policy))
        policy.check(fields | {"bucket": bucket})
        announced = _announced(bucket, fields, policy)

        async def take() -> Response:
            record = await receive(self._store, announced, form.file)
            return _accepted(record, fields, origin(request))

        return await self._calls.go_on(_INSERT, bucket, announced.name, take)


def _announced(bucket: str, fields: Mapping[str, str], policy: PostPolicy) -> Announcement:
    name = check_object_name(fields.get("key"))
    if "${filename}" in name:
        raise StorageError(Reason.UNSUPPORTED, "This emulator does not put ${filename} into a key.")
    if unsupported := [name for name in fields if name in _ACLS or name.startswith(_CONDITIONS)]:
        raise StorageError(Reason.UNSUPPORTED, f"This emulator does not support {unsupported[0]}.")
    resource = {attribute: fields[name] for name, attribute in _ATTRIBUTES.items() if name in fields}
    metadata = {name.removeprefix(_META): text for name, text in fields.items() if name.startswith(_META)}
    attributes = object_attributes(resource | {"metadata": metadata})
    return Announcement(bucket, name, attributes, Preconditions(), limits=policy.limits)


def _accepted(record: ObjectRecord, fields: Mapping[str, str], at: str) -> Response:
    etag = {"ETag": f'"{record.etag}"'}
    if target := fields.get("success_action_redirect", fields.get("redirect")):
        return Response(status_code=303, headers=etag | {"Location": target})
    location = at + xml_path(record.bucket, record.name)
    if fields.get("success_action_status") == "201":
        parts = (
            ("Location", location),
            ("Bucket", record.bucket),
            ("Key", record.name),
            ("ETag", etag["ETag"]),
        )
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts)
        body = f"<?xml version='1.0' encoding='UTF-8'?><PostResponse>{inner}</PostResponse>"
        return Response(body, 201, etag, "application/xml; charset=UTF-8")
    status = 200 if fields.get("success_action_status") == "200" else 204
    return Response(status_code=status, headers=etag | {"Location": location})
