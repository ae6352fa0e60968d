"""Composed objects: whole, checked, conditional, and made of what their sources were at the start."""

from base64 import b64encode
from typing import Any

import google_crc32c
import httpx2
import pytest
from google.api_core import exceptions


def blobs(bucket: Any, *contents: bytes) -> list[Any]:
    made = []
    for number, content in enumerate(contents):
        blob = bucket.blob(f"part-{number:02d}")
        blob.upload_from_string(content, retry=None)
        made.append(blob)
    return made


def test_thirty_two_parts_become_one_object(bucket: Any) -> None:
    """With the checksum of the whole, no md5, and their number; more are refused."""
    contents = [bytes([number]) * (number * 1000) for number in range(32)]
    whole = bucket.blob("whole")
    whole.content_type = "text/plain"
    whole.compose(blobs(bucket, *contents), retry=None)
    whole.reload(retry=None)
    assert whole.download_as_bytes(retry=None) == b"".join(contents)
    assert (whole.component_count, whole.md5_hash, whole.content_type) == (32, None, "text/plain")
    checksum = google_crc32c.value(b"".join(contents))
    assert whole.crc32c == b64encode(checksum.to_bytes(4, "big")).decode()
    with pytest.raises(exceptions.BadRequest):
        bucket.blob("more").compose([whole] * 33, retry=None)


def test_composed_objects_are_composed_again(bucket: Any) -> None:
    whole = bucket.blob("whole")
    whole.compose(blobs(bucket, b"a", b"b"), retry=None)
    whole.compose([whole, bucket.blob("part-00")], retry=None)
    whole.reload(retry=None)
    assert (whole.download_as_bytes(retry=None), whole.component_count) == (b"aba", 3)


def test_a_part_that_is_not_of_its_generation_stops_it(bucket: Any) -> None:
    parts = blobs(bucket, b"a", b"b")
    bucket.blob("part-01").upload_from_string("new", retry=None)
    generations = [blob.generation for blob in parts]
    with pytest.raises(exceptions.NotFound):
        bucket.blob("whole").compose(parts, retry=None)
    parts = [bucket.blob(blob.name) for blob in parts]
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("whole").compose(parts, if_source_generation_match=generations, retry=None)
    assert not bucket.blob("whole").exists(retry=None)


def test_a_noncurrent_part_is_taken_by_its_generation(versioned: Any) -> None:
    old, _ = blobs(versioned, b"old", b"-")
    versioned.blob("part-00").upload_from_string("new", retry=None)
    whole = versioned.blob("whole")
    whole.compose([versioned.blob("part-00", generation=old.generation)], retry=None)
    assert whole.download_as_bytes(retry=None) == b"old"


def test_parts_of_several_classes_do_not_go_together(bucket: Any) -> None:
    parts = blobs(bucket, b"a", b"b")
    parts[1].update_storage_class("NEARLINE", retry=None)
    with pytest.raises(exceptions.BadRequest):
        bucket.blob("whole").compose(parts, retry=None)


def test_what_compose_cannot_do_is_said(bucket: Any, endpoint: str) -> None:
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/whole/compose"
    blobs(bucket, b"a")
    sources = [{"name": "part-00"}]
    answer = httpx2.post(url, json={"sourceObjects": []}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "required")
    answer = httpx2.post(url, json={"sourceObjects": sources, "deleteSourceObjects": True}, trust_env=False)
    assert answer.status_code == 501
    answer = httpx2.post(url, json={"sourceObjects": [{"name": "none"}]}, trust_env=False)
    assert answer.status_code == 404
