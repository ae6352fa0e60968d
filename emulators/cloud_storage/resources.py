"""How does the JSON API describe a bucket and an object, and which headers does a download carry?"""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from emulators.cloud_storage.kept.buckets import Bucket
from emulators.cloud_storage.kept.names import json_segment
from emulators.cloud_storage.kept.records import DEFAULT_CLASS, ObjectRecord, is_header_safe
from emulators.projects import project_number

DEFAULT_TYPE = "application/octet-stream"
_NO_SOFT_DELETE = {"retentionDurationSeconds": "0"}


def bucket_resource(bucket: Bucket, project: str, origin: str) -> dict[str, Any]:
    """A bucket, as ``storage#bucket``."""
    defaults = {
        "location": bucket.location,
        "locationType": "region",
        "storageClass": DEFAULT_CLASS,
        "softDeletePolicy": _NO_SOFT_DELETE,
    }
    return (
        defaults
        | bucket.attributes
        | {
            "kind": "storage#bucket",
            "id": bucket.name,
            "name": bucket.name,
            "projectNumber": project_number(project),
            "selfLink": f"{origin}/storage/v1/b/{bucket.name}",
            "metageneration": str(bucket.metageneration),
            "etag": bucket.etag,
            "timeCreated": _rfc3339(bucket.created),
            "updated": _rfc3339(bucket.updated),
        }
    )


def object_resource(record: ObjectRecord, origin: str) -> dict[str, Any]:
    """An object, as ``storage#object``; its links are absolute, because the client downloads through them."""
    path = f"b/{record.bucket}/o/{json_segment(record.name)}"
    generation = str(record.generation)
    resource = (
        {"storageClass": DEFAULT_CLASS, "contentType": DEFAULT_TYPE}
        | record.attributes
        | {
            "kind": "storage#object",
            "id": f"{record.bucket}/{record.name}/{generation}",
            "selfLink": f"{origin}/storage/v1/{path}",
            "mediaLink": f"{origin}/download/storage/v1/{path}?generation={generation}&alt=media",
            "name": record.name,
            "bucket": record.bucket,
            "generation": generation,
            "metageneration": str(record.metageneration),
            "size": str(record.content.size),
            "crc32c": record.content.crc32c,
            "etag": record.etag,
            "timeCreated": _rfc3339(record.created),
            "timeFinalized": _rfc3339(record.created),
            "timeStorageClassUpdated": _rfc3339(record.class_changed or record.created),
            "updated": _rfc3339(record.updated),
        }
    )
    if record.content.md5 is not None:
        resource["md5Hash"] = record.content.md5
    if record.components is not None:
        resource["componentCount"] = record.components
    for name, time in (
        ("timeDeleted", record.noncurrent_since),
        ("softDeleteTime", record.soft_deleted),
        ("hardDeleteTime", record.hard_delete),
    ):
        if time is not None:
            resource[name] = _rfc3339(time)
    return resource


def object_headers(record: ObjectRecord) -> dict[str, str]:
    """What both APIs say of an object in the headers of their answers."""
    attributes = record.attributes
    headers = {
        "ETag": f'"{record.etag}"',
        "Last-Modified": format_datetime(record.updated, usegmt=True),
        "x-goog-generation": str(record.generation),
        "x-goog-metageneration": str(record.metageneration),
        "x-goog-hash": _hashes(record),
        "x-goog-stored-content-encoding": attributes.get("contentEncoding", "identity"),
        "x-goog-stored-content-length": str(record.content.size),
        "x-goog-storage-class": record.storage_class,
    }
    for name, value in attributes.get("metadata", {}).items():
        # What a header cannot carry is left out; the JSON API has it all.
        if is_header_safe(value) and name.replace("-", "").replace("_", "").isalnum() and name.isascii():
            headers[f"x-goog-meta-{name}"] = value
    return headers


def content_headers(record: ObjectRecord) -> dict[str, str]:
    """What a download says of the bytes."""
    attributes = record.attributes
    headers = {
        "Content-Type": attributes.get("contentType", DEFAULT_TYPE),
        "Accept-Ranges": "bytes",
        "Cache-Control": attributes.get("cacheControl", "private, max-age=0"),
    }
    for header, attribute in (
        ("Content-Disposition", "contentDisposition"),
        ("Content-Encoding", "contentEncoding"),
        ("Content-Language", "contentLanguage"),
    ):
        if attribute in attributes:
            headers[header] = attributes[attribute]
    return headers


def _hashes(record: ObjectRecord) -> str:
    md5 = f",md5={record.content.md5}" if record.content.md5 is not None else ""
    return f"crc32c={record.content.crc32c}{md5}"


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
