"""Metadata of objects: what can be set, changed and removed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from google.api_core import exceptions

from tests.conformance.check import check

_METADATA = "storage/docs/metadata"
_PATCH = "storage/docs/json_api/v1/objects/patch"


@check("GCS-031", source=f"{_METADATA}#editable: the fixed keys")
def test_fixed_keys(bucket: Any, name: str) -> None:
    """Cache-Control, Content-Disposition, -Encoding, -Language and -Type are kept as they were set."""
    blob = bucket.blob(name)
    blob.cache_control, blob.content_disposition = "no-store", "attachment; filename=x"
    blob.content_encoding, blob.content_language = "br", "it"
    blob.upload_from_string("x", content_type="text/html", retry=None)
    found = bucket.get_blob(name, retry=None)
    kept = (found.cache_control, found.content_disposition, found.content_encoding, found.content_language)
    assert kept == ("no-store", "attachment; filename=x", "br", "it")
    assert found.content_type == "text/html"


@check("GCS-032", source=f"{_METADATA}#custom-metadata")
def test_custom_metadata(bucket: Any, name: str) -> None:
    """Custom metadata is kept, and told with the object."""
    blob = bucket.blob(name)
    blob.metadata = {"color": "blue", "note": "two words"}
    blob.upload_from_string("x", retry=None)
    assert bucket.get_blob(name, retry=None).metadata == {"color": "blue", "note": "two words"}


@check("GCS-033", source=f"{_PATCH}: patch semantics; a key is removed by null")
def test_a_key_is_removed_by_null(bucket: Any, name: str) -> None:
    """A patch changes the custom keys that it names, removes those that are null and leaves the others."""
    blob = bucket.blob(name)
    blob.metadata = {"a": "1", "b": "2", "c": "3"}
    blob.upload_from_string("x", retry=None)
    blob.metadata = {"a": "new", "b": None}
    blob.patch(retry=None)
    assert bucket.get_blob(name, retry=None).metadata == {"a": "new", "c": "3"}


@check("GCS-034", source="storage/docs/json_api/v1/objects/update: replaces the metadata")
def test_an_update_replaces(bucket: Any, name: str) -> None:
    """An update takes away the custom keys that it does not name."""
    blob = bucket.blob(name)
    blob.metadata = {"a": "1"}
    blob.upload_from_string("x", retry=None)
    blob.metadata = {"b": "2"}
    blob.update(retry=None)
    assert bucket.get_blob(name, retry=None).metadata == {"b": "2"}


@check(
    "GCS-035",
    source=f"{_PATCH}; the client sends no body where nothing changed (google-cloud-storage Blob.patch)",
)
def test_an_empty_patch(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """A patch without a body is answered with the object as it is."""
    bucket.blob(name).upload_from_string("x", content_type="text/plain", retry=None)
    answer = http.patch(f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}")
    assert (answer.status_code, answer.json()["contentType"]) == (200, "text/plain")


@check("GCS-036", source=f"{_METADATA}#generation-number: metageneration increases with each metadata update")
def test_the_metageneration(bucket: Any, name: str) -> None:
    """A change of metadata adds one to the metageneration, leaves the generation, and moves the time of update."""
    blob = bucket.blob(name)
    blob.upload_from_string("x", retry=None)
    generation, updated = blob.generation, blob.updated
    blob.metadata = {"a": "1"}
    blob.patch(retry=None)
    assert (blob.generation, blob.metageneration) == (generation, 2)
    assert blob.updated > updated


@check("GCS-037", source=f"{_METADATA}#custom-time: cannot be removed, nor set to an earlier time")
def test_custom_time(bucket: Any, name: str) -> None:
    """Once set, the custom time can move on but neither back nor away."""
    blob, now = bucket.blob(name), datetime.now(UTC)
    blob.custom_time = now
    blob.upload_from_string("x", retry=None)
    blob.custom_time = now + timedelta(days=1)
    blob.patch(retry=None)
    for earlier in (now, None):
        blob._patch_property("customTime", earlier and earlier.isoformat().replace("+00:00", "Z"))
        with pytest.raises(exceptions.BadRequest):
            blob.patch(retry=None)
    assert bucket.get_blob(name, retry=None).custom_time == now + timedelta(days=1)


@check("GCS-038", source=f"{_METADATA}: storageClass is assigned when an object is created or rewritten")
def test_the_class_is_set_at_creation(bucket: Any, name: str) -> None:
    """An object has the class it was created with, else its bucket's."""
    bucket.blob(name).upload_from_string("x", retry=None)
    cold = bucket.blob(f"{name}-cold")
    cold.storage_class = "COLDLINE"
    cold.upload_from_string("x", retry=None)
    found = [bucket.get_blob(each, retry=None).storage_class for each in (name, f"{name}-cold")]
    assert found == ["STANDARD", "COLDLINE"]


@check(
    "GCS-039",
    source=f"{_METADATA} says that a class is not edited in place; that a patch is refused is believed",
    assumed=True,
)
def test_the_class_is_not_patched(bucket: Any, name: str) -> None:
    """A patch with another storage class is refused with 400."""
    blob = bucket.blob(name)
    blob.upload_from_string("x", retry=None)
    blob.storage_class = "NEARLINE"
    with pytest.raises(exceptions.BadRequest):
        blob.patch(retry=None)


@check("GCS-040", source="storage/docs/json_api/v1/objects#resource: contentType, application/octet-stream")
def test_the_type_that_nobody_named(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """An object without a content type is served as application/octet-stream."""
    blob = bucket.blob(name)
    blob.upload_from_string("x", retry=None)
    blob.content_type = None
    blob.patch(retry=None)
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}?alt=media"
    assert http.get(url).headers["content-type"] == "application/octet-stream"


@check("GCS-041", source="storage/docs/json_api/v1/objects#resource: mediaLink, a URL for downloading")
def test_the_media_link(bucket: Any, name: str, http: requests.Session) -> None:
    """The media link is absolute and gives the bytes of that generation."""
    bucket.blob(name).upload_from_string("x", retry=None)
    found = bucket.get_blob(name, retry=None)
    assert http.get(found.media_link).content == b"x"


@check("GCS-042", source="storage/docs/json_api/v1/objects#resource: kind, id, selfLink, int64 as strings")
def test_the_resource(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """An object is told as storage#object, with its id of bucket, name and generation, and numbers as strings."""
    bucket.blob(name).upload_from_string("hello", retry=None)
    found = http.get(f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}").json()
    assert found["kind"] == "storage#object"
    assert found["id"] == f"{bucket.name}/{name}/{found['generation']}"
    assert found["selfLink"].endswith(f"/storage/v1/b/{bucket.name}/o/{name}")
    assert (found["size"], found["metageneration"]) == ("5", "1")
    assert found["timeCreated"].endswith("Z")
