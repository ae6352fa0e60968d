"""Versioning and soft delete: what stays of what was replaced or deleted."""

from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud import storage

from tests.conformance.check import check

_VERSIONING = "storage/docs/object-versioning"
_SOFT_DELETE = "storage/docs/soft-delete"
_RESTORE = "storage/docs/json_api/v1/objects/restore"
DAY = 86_400


def _written(bucket: Any, name: str, *contents: str) -> list[int]:
    generations = []
    for content in contents:
        blob = bucket.blob(name)
        blob.upload_from_string(content, retry=None)
        generations.append(blob.generation)
    return generations


def _versions(bucket: Any, **arguments: Any) -> list[int]:
    return [blob.generation for blob in bucket.list_blobs(versions=True, retry=None, **arguments)]


@check("GCS-101", source=f"{_VERSIONING}: a noncurrent version is kept each time a live one is replaced")
def test_a_replaced_version_stays(bucket_of_its_own: Any, name: str) -> None:
    """In a versioned bucket a replaced version stays, is listed with versions, and read by its generation."""
    first, second = _written(bucket_of_its_own, name, "1", "2")
    assert _versions(bucket_of_its_own) == [first, second]
    assert [blob.generation for blob in bucket_of_its_own.list_blobs(retry=None)] == [second]
    old = bucket_of_its_own.blob(name, generation=first)
    assert old.download_as_bytes(retry=None) == b"1"


@check("GCS-102", source=f"{_VERSIONING}: a noncurrent version is kept each time a live one is deleted")
def test_a_deleted_version_stays(bucket_of_its_own: Any, name: str) -> None:
    """A delete without a generation makes the live version noncurrent."""
    (only,) = _written(bucket_of_its_own, name, "1")
    bucket_of_its_own.delete_blob(name, retry=None)
    assert not bucket_of_its_own.blob(name).exists(retry=None)
    assert _versions(bucket_of_its_own) == [only]


@check("GCS-103", source=f"{_VERSIONING}: as long as the generation of the live version is not specified")
def test_a_delete_by_generation(bucket_of_its_own: Any, name: str) -> None:
    """A delete that names the generation of the live version leaves no noncurrent one."""
    (only,) = _written(bucket_of_its_own, name, "1")
    bucket_of_its_own.blob(name, generation=only).delete(retry=None)
    assert _versions(bucket_of_its_own) == []


@check("GCS-104", source=f"{_VERSIONING}: delete a noncurrent version by its generation number")
def test_a_noncurrent_version_is_deleted(bucket_of_its_own: Any, name: str) -> None:
    """A noncurrent version is deleted by its generation, and the live one stays."""
    first, second = _written(bucket_of_its_own, name, "1", "2")
    bucket_of_its_own.blob(name, generation=first).delete(retry=None)
    assert _versions(bucket_of_its_own) == [second]


@check("GCS-105", source=f"{_VERSIONING}: disabled, versions that exist are unaffected, no new ones are kept")
def test_versioning_is_switched_off(bucket_of_its_own: Any, name: str) -> None:
    """Without versioning the noncurrent versions stay, and no new ones come."""
    first, _ = _written(bucket_of_its_own, name, "1", "2")
    bucket_of_its_own.versioning_enabled = False
    bucket_of_its_own.patch(retry=None)
    (third,) = _written(bucket_of_its_own, name, "3")
    assert _versions(bucket_of_its_own) == [first, third]


@check("GCS-106", source="storage/docs/json_api/v1/objects#resource: timeDeleted, if it has been deleted")
def test_the_time_of_deletion(bucket_of_its_own: Any, name: str) -> None:
    """A noncurrent version tells when it ceased to be live; the live one tells no such time."""
    first, _ = _written(bucket_of_its_own, name, "1", "2")
    old = bucket_of_its_own.get_blob(name, generation=first, retry=None)
    assert "timeDeleted" in old._properties
    assert "timeDeleted" not in bucket_of_its_own.get_blob(name, retry=None)._properties


@check("GCS-107", source="storage/docs/using-versioned-objects#restore: copy the noncurrent version")
def test_a_version_is_copied_back(bucket_of_its_own: Any, name: str) -> None:
    """A copy of a noncurrent version becomes the live one."""
    first, _ = _written(bucket_of_its_own, name, "1", "2")
    bucket = bucket_of_its_own
    bucket.copy_blob(bucket.blob(name), bucket, source_generation=first, retry=None)
    assert bucket.blob(name).download_as_bytes(retry=None) == b"1"


@check("GCS-108", source="storage/docs/json_api/v1/objects/list: versions, sorted by name and generation")
def test_versions_come_in_pages(bucket_of_its_own: Any, name: str) -> None:
    """Versions are listed from the oldest to the newest of each name, on pages of any size."""
    generations = _written(bucket_of_its_own, name, "1", "2", "3")
    for size in (1, 2, 10):
        assert _versions(bucket_of_its_own, page_size=size) == generations


@check("GCS-109", source="storage/docs/request-preconditions: ifGenerationMatch 0, no live version")
def test_a_noncurrent_version_is_no_live_one(bucket_of_its_own: Any, name: str) -> None:
    """ifGenerationMatch 0 holds where there are noncurrent versions only."""
    _written(bucket_of_its_own, name, "1")
    bucket_of_its_own.delete_blob(name, retry=None)
    bucket_of_its_own.blob(name).upload_from_string("2", if_generation_match=0, retry=None)


@check("GCS-121", source=f"{_SOFT_DELETE}: enabled by default on new buckets, for seven days")
def test_the_default(client: storage.Client, bucket: Any) -> None:
    """A new bucket keeps what was deleted for seven days unless it says otherwise."""
    found = client.get_bucket(bucket.name, retry=None)
    assert found.soft_delete_policy.retention_duration_seconds == 7 * DAY
    assert found.soft_delete_policy.effective_time is not None


@check("GCS-122", source=f"{_SOFT_DELETE}: from 7 to 90 days, or 0 to disable it")
@pytest.mark.parametrize("seconds", [1, 7 * DAY - 1, 90 * DAY + 1])
def test_times_that_are_none(bucket_of_its_own: Any, seconds: int) -> None:
    """A retention of less than 7 or more than 90 days is refused with 400."""
    bucket_of_its_own.soft_delete_policy.retention_duration_seconds = seconds
    with pytest.raises(exceptions.BadRequest):
        bucket_of_its_own.patch(retry=None)


def _soft_deleted(bucket: Any, name: str) -> int:
    (generation,) = _written(bucket, name, "x")
    bucket.blob(name, generation=generation).delete(retry=None)
    return generation


@check("GCS-123", source=f"{_SOFT_DELETE}: lists exclude soft-deleted objects unless they are asked for")
def test_soft_deleted_objects_are_listed(bucket: Any, name: str) -> None:
    """A deleted object is listed with softDeleted only, with the times of its deletion and its end."""
    generation = _soft_deleted(bucket, name)
    assert list(bucket.list_blobs(prefix=name, retry=None)) == []
    (found,) = bucket.list_blobs(prefix=name, soft_deleted=True, retry=None)
    assert found.generation == generation
    assert (found.hard_delete_time - found.soft_delete_time).total_seconds() == 7 * DAY


@check("GCS-124", source=f"{_RESTORE}: a new copy, a new generation, metageneration 1")
def test_a_soft_deleted_object_is_restored(bucket: Any, name: str) -> None:
    """A restored object has its bytes and metadata, a new generation, and metageneration 1."""
    blob = bucket.blob(name)
    blob.metadata = {"a": "1"}
    blob.upload_from_string("x", content_type="text/plain", retry=None)
    blob.delete(retry=None)
    restored = bucket.restore_blob(name, generation=blob.generation, retry=None)
    assert restored.generation != blob.generation
    assert (restored.metageneration, restored.metadata, restored.content_type) == (
        1,
        {"a": "1"},
        "text/plain",
    )
    assert restored.download_as_bytes(retry=None) == b"x"


@check("GCS-125", source=f"{_RESTORE}: ifGenerationMatch 0, only if there is no such live object")
def test_a_restore_minds_the_live_object(bucket: Any, name: str) -> None:
    """A restore under ifGenerationMatch 0 does not replace a live object."""
    generation = _soft_deleted(bucket, name)
    _written(bucket, name, "live")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.restore_blob(name, generation=generation, if_generation_match=0, retry=None)


@check("GCS-126", source=f"{_SOFT_DELETE}: soft-deleted objects cannot be read or modified")
def test_a_soft_deleted_object_is_not_read(bucket: Any, name: str) -> None:
    """A soft-deleted object is neither downloaded, changed nor deleted again."""
    generation = _soft_deleted(bucket, name)
    blob = bucket.blob(name, generation=generation)
    for act in (blob.download_as_bytes, blob.patch, blob.delete):
        with pytest.raises(exceptions.NotFound):
            act(retry=None)


@check("GCS-127", source="storage/docs/json_api/v1/objects/get: softDeleted takes the generation")
def test_a_soft_deleted_object_is_named_by_its_generation(
    bucket: Any, name: str, endpoint: str, http: requests.Session
) -> None:
    """To get a soft-deleted object takes its generation; without one it is 400."""
    generation = _soft_deleted(bucket, name)
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}?softDeleted=true"
    assert http.get(url).status_code == 400
    assert http.get(f"{url}&generation={generation}").json()["softDeleteTime"]


@check(
    "GCS-128", source=f"{_SOFT_DELETE}: a replaced object is soft-deleted too where there is no versioning"
)
def test_a_replaced_object_is_soft_deleted(bucket: Any, name: str) -> None:
    """Without versioning a replaced object can be restored."""
    first, _ = _written(bucket, name, "1", "2")
    bucket.restore_blob(name, generation=first, retry=None)
    assert bucket.blob(name).download_as_bytes(retry=None) == b"1"


@check(
    "GCS-129", source=f"{_VERSIONING}: with soft delete, a noncurrent object that is deleted is soft-deleted"
)
def test_a_noncurrent_version_is_soft_deleted(bucket_of_its_own: Any, name: str) -> None:
    """A noncurrent version that is deleted can be restored; one that was replaced is only noncurrent."""
    first, _ = _written(bucket_of_its_own, name, "1", "2")
    assert list(bucket_of_its_own.list_blobs(soft_deleted=True, retry=None)) == []
    bucket_of_its_own.blob(name, generation=first).delete(retry=None)
    (found,) = bucket_of_its_own.list_blobs(soft_deleted=True, retry=None)
    assert found.generation == first


@check(
    "GCS-130", source="storage/docs/json_api/v1/objects/list: softDeleted, mutually exclusive with versions"
)
def test_versions_or_soft_deleted(bucket: Any, endpoint: str, http: requests.Session) -> None:
    """versions and softDeleted together are refused with 400."""
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o?versions=true&softDeleted=true"
    assert http.get(url).status_code == 400
