"""Compose, copy, rewrite and move: objects made of objects."""

from base64 import b64encode
from typing import Any

import google_crc32c
import pytest
import requests
from google.api_core import exceptions

from tests.conformance.check import check

_COMPOSITE = "storage/docs/composite-objects"
_REWRITE = "storage/docs/json_api/v1/objects/rewrite"
_MOVE = "storage/docs/json_api/v1/objects/move"
MEBIBYTE = 1 << 20


def _parts(bucket: Any, name: str, *contents: bytes) -> list[Any]:
    made = []
    for number, content in enumerate(contents):
        blob = bucket.blob(f"{name}/{number:02d}")
        blob.upload_from_string(content, retry=None)
        made.append(bucket.blob(blob.name))
    return made


@check("GCS-071", source=f"{_COMPOSITE}: the concatenation of between 1 and 32 source objects")
def test_up_to_thirty_two_parts(bucket: Any, name: str) -> None:
    """Up to 32 objects become one, in their order; 33 are refused with 400."""
    contents = [f"{number},".encode() for number in range(32)]
    parts, whole = _parts(bucket, name, *contents), bucket.blob(name)
    whole.compose(parts, retry=None)
    assert whole.download_as_bytes(retry=None) == b"".join(contents)
    with pytest.raises(exceptions.BadRequest):
        bucket.blob(f"{name}-more").compose([*parts, parts[0]], retry=None)


@check("GCS-072", source=f"{_COMPOSITE}: no MD5; a component count; CRC32C of the whole")
def test_what_is_told_of_a_composite(bucket: Any, name: str) -> None:
    """A composite object tells its component count and the CRC32C of the whole, but no MD5."""
    whole = bucket.blob(name)
    whole.compose(_parts(bucket, name, b"ab", b"cd"), retry=None)
    whole.reload(retry=None)
    checksum = b64encode(google_crc32c.value(b"abcd").to_bytes(4, "big")).decode()
    assert (whole.component_count, whole.md5_hash, whole.crc32c) == (2, None, checksum)


@check("GCS-073", source=f"{_COMPOSITE}: counts the non-composite objects contained")
def test_components_are_counted_through(bucket: Any, name: str) -> None:
    """A composite of composites counts the plain objects in it."""
    whole = bucket.blob(name)
    parts = _parts(bucket, name, b"a", b"b")
    whole.compose(parts, retry=None)
    again = bucket.blob(f"{name}-again")
    again.compose([bucket.blob(name), parts[0]], retry=None)
    again.reload(retry=None)
    assert again.component_count == 3


@check("GCS-074", source="storage/docs/json_api/v1/objects/compose: objectPreconditions.ifGenerationMatch")
def test_a_part_of_another_generation(bucket: Any, name: str) -> None:
    """A condition on a part that does not hold stops the composition with 412."""
    parts = _parts(bucket, name, b"a", b"b")
    current = [bucket.get_blob(part.name, retry=None).generation for part in parts]
    wrong = [current[0], current[1] + 1]
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob(name).compose(parts, if_source_generation_match=wrong, retry=None)
    bucket.blob(name).compose(parts, if_source_generation_match=current, retry=None)


@check("GCS-075", source=f"{_COMPOSITE}: does not change if the sources are replaced or deleted")
def test_a_composite_stands_by_itself(bucket: Any, name: str) -> None:
    """A composite object stays what it is when its parts are replaced or deleted."""
    parts = _parts(bucket, name, b"a", b"b")
    bucket.blob(name).compose(parts, retry=None)
    parts[0].upload_from_string("new", retry=None)
    parts[1].delete(retry=None)
    assert bucket.blob(name).download_as_bytes(retry=None) == b"ab"


@check("GCS-076", source=f"{_COMPOSITE}: the sources must have the same storage class")
def test_parts_of_two_classes(bucket: Any, name: str) -> None:
    """Parts of different storage classes are refused with 400."""
    parts = _parts(bucket, name, b"a", b"b")
    parts[1].update_storage_class("NEARLINE", retry=None)
    with pytest.raises(exceptions.BadRequest):
        bucket.blob(name).compose([bucket.blob(part.name) for part in parts], retry=None)


@check("GCS-077", source="storage/docs/json_api/v1/objects/compose: 404 for a source that is not there")
def test_a_part_that_is_not_there(bucket: Any, name: str) -> None:
    """A part that does not exist is 404, and nothing is composed."""
    with pytest.raises(exceptions.NotFound):
        bucket.blob(name).compose([bucket.blob(f"{name}-none")], retry=None)
    assert not bucket.blob(name).exists(retry=None)


@check("GCS-081", source="storage/docs/json_api/v1/objects/copy: the source's metadata unless some is given")
def test_a_copy_keeps_the_metadata(bucket: Any, name: str) -> None:
    """A copy has the bytes, the type and the custom metadata of its source, and a generation of its own."""
    source = bucket.blob(name)
    source.metadata = {"a": "1"}
    source.upload_from_string("x", content_type="text/plain", retry=None)
    copy = bucket.copy_blob(source, bucket, f"{name}-copy", retry=None)
    assert (copy.content_type, copy.metadata, copy.metageneration) == ("text/plain", {"a": "1"}, 1)
    assert copy.generation != source.generation
    assert copy.md5_hash == source.md5_hash


@check("GCS-082", source=f"{_REWRITE}: metadata of the request body replaces the source's")
def test_a_rewrite_with_metadata(bucket: Any, name: str) -> None:
    """Metadata that is given with a rewrite takes the place of the source's."""
    source, target = bucket.blob(name), bucket.blob(f"{name}-target")
    source.metadata = {"a": "1"}
    source.upload_from_string("x", content_type="text/plain", retry=None)
    target.content_type, target.metadata = "text/html", {"b": "2"}
    token, done, total = target.rewrite(source, retry=None)
    assert (token, done, total) == (None, 1, 1)
    found = bucket.get_blob(target.name, retry=None)
    assert (found.content_type, found.metadata) == ("text/html", {"b": "2"})


@check("GCS-083", source=f"{_REWRITE}: ifSourceGenerationMatch, ifSourceMetagenerationMatch")
def test_a_source_that_changed(bucket: Any, name: str) -> None:
    """A condition on the source that does not hold stops a rewrite with 412."""
    source, target = bucket.blob(name), bucket.blob(f"{name}-target")
    source.upload_from_string("x", retry=None)
    for given in ({"if_source_generation_match": 1}, {"if_source_metageneration_match": 7}):
        with pytest.raises(exceptions.PreconditionFailed):
            target.rewrite(source, retry=None, **given)
    assert not target.exists(retry=None)


@check("GCS-084", source=f"{_REWRITE}: ifGenerationMatch 0, only if there is no live destination")
def test_a_target_that_is_there(bucket: Any, name: str) -> None:
    """A rewrite under ifGenerationMatch 0 does not replace an object."""
    for each in (name, f"{name}-target"):
        bucket.blob(each).upload_from_string(each, retry=None)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob(f"{name}-target").rewrite(bucket.blob(name), if_generation_match=0, retry=None)


@check("GCS-085", source=f"{_REWRITE}: maxBytesRewrittenPerCall, done, rewriteToken")
def test_a_rewrite_in_steps(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """A bounded rewrite into another class is done in several calls, each with the token of the one before."""
    bucket.blob(name).upload_from_string(bytes(3 * MEBIBYTE), retry=None)
    path = f"b/{bucket.name}/o/{name}/rewriteTo/b/{bucket.name}/o/{name}-target"
    query: dict[str, Any] = {"maxBytesRewrittenPerCall": MEBIBYTE}
    steps = []
    while True:
        answer = http.post(
            f"{endpoint}/storage/v1/{path}", params=query, json={"storageClass": "NEARLINE"}
        ).json()
        steps.append(int(answer["totalBytesRewritten"]))
        if answer["done"]:
            break
        query["rewriteToken"] = answer["rewriteToken"]
    assert steps == [MEBIBYTE, 2 * MEBIBYTE, 3 * MEBIBYTE]
    assert answer["resource"]["storageClass"] == "NEARLINE"


@check("GCS-086", source=f"{_REWRITE}: maxBytesRewrittenPerCall must be an integral multiple of 1 MiB")
def test_a_step_that_is_none(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """A bound that is no multiple of 1 MiB is refused with 400."""
    bucket.blob(name).upload_from_string("x", retry=None)
    path = f"b/{bucket.name}/o/{name}/rewriteTo/b/{bucket.name}/o/{name}-target"
    answer = http.post(f"{endpoint}/storage/v1/{path}", params={"maxBytesRewrittenPerCall": 1000}, json={})
    assert answer.status_code == 400


@check("GCS-087", source=f"{_REWRITE}: a composite rewritten to another class has a component count of 1")
def test_a_composite_in_another_class(bucket: Any, name: str) -> None:
    """A composite object that is rewritten into another storage class counts as one component."""
    whole = bucket.blob(name)
    whole.compose(_parts(bucket, name, b"a", b"b"), retry=None)
    bucket.blob(name).update_storage_class("NEARLINE", retry=None)
    found = bucket.get_blob(name, retry=None)
    assert (found.storage_class, found.component_count, found.md5_hash) == ("NEARLINE", 1, None)


@check("GCS-091", source=f"{_MOVE}: renames within a bucket; new generation, metageneration 1")
def test_a_move(bucket: Any, name: str) -> None:
    """A move gives an object another name, with its bytes and metadata, a new generation and metageneration 1."""
    source = bucket.blob(name)
    source.metadata = {"a": "1"}
    source.upload_from_string("x", content_type="text/plain", retry=None)
    source.metadata = {"a": "2"}
    source.patch(retry=None)
    moved = bucket.move_blob(source, f"{name}-moved", retry=None)
    assert (moved.metadata, moved.content_type, moved.metageneration) == ({"a": "2"}, "text/plain", 1)
    assert moved.generation != source.generation
    assert not bucket.blob(name).exists(retry=None)


@check("GCS-092", source=f"{_MOVE}: the soft delete retention period is not applied to the source")
def test_a_moved_object_is_not_soft_deleted(bucket: Any, name: str) -> None:
    """Of a moved object nothing stays to be restored under its old name."""
    bucket.blob(name).upload_from_string("x", retry=None)
    bucket.move_blob(bucket.blob(name), f"{name}-moved", retry=None)
    assert list(bucket.list_blobs(prefix=name, soft_deleted=True, retry=None)) == []


@check("GCS-093", source=f"{_MOVE}: source and destination must have different names; status-codes 400")
def test_a_move_onto_itself(bucket: Any, name: str) -> None:
    """A move to the same name is refused with 400."""
    bucket.blob(name).upload_from_string("x", retry=None)
    with pytest.raises(exceptions.BadRequest):
        bucket.move_blob(bucket.blob(name), name, retry=None)


@check("GCS-094", source=f"{_MOVE}: replaces the existing object, unless preconditions forbid it")
def test_a_move_onto_another(bucket: Any, name: str) -> None:
    """A move replaces what has the name already, unless ifGenerationMatch 0 forbids it."""
    for each in (name, f"{name}-there"):
        bucket.blob(each).upload_from_string(each, retry=None)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.move_blob(bucket.blob(name), f"{name}-there", if_generation_match=0, retry=None)
    bucket.move_blob(bucket.blob(name), f"{name}-there", retry=None)
    assert bucket.blob(f"{name}-there").download_as_text(retry=None) == name
