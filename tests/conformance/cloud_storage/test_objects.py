"""Objects and their preconditions, as the pages on them say."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud import storage

from tests.conformance.check import check

_PRECONDITIONS = "storage/docs/request-preconditions"
_GENERATIONS = "storage/docs/metadata#generation-number"
_ERRORS = "storage/docs/json_api/v1/status-codes"
_INSERT = "storage/docs/json_api/v1/objects/insert"
THREADS, ROUNDS = 20, 50


@check("GCS-001", source=f"{_PRECONDITIONS}: ifGenerationMatch 0, only if there is no live version")
def test_one_creator_wins(bucket: Any, name: str) -> None:
    """Of twenty that create an object only if it is absent one succeeds, in each of fifty rounds."""

    def create(turn: tuple[int, Barrier]) -> bool:
        number, together = turn
        together.wait()
        try:
            bucket.blob(f"{name}/{number}").upload_from_string("x", if_generation_match=0, retry=None)
        except exceptions.PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as threads:
        for number in range(ROUNDS):
            turn = number, Barrier(THREADS)
            assert sum(threads.map(create, [turn] * THREADS)) == 1


@check("GCS-002", source=f"{_GENERATIONS}: each new version has a generation of its own")
def test_a_new_content_has_a_new_generation(bucket: Any, name: str) -> None:
    """To replace an object gives it a new generation, and metageneration 1 again."""
    first = bucket.blob(name)
    first.upload_from_string("1", retry=None)
    first.metadata = {"a": "1"}
    first.patch(retry=None)
    second = bucket.blob(name)
    second.upload_from_string("2", retry=None)
    assert second.generation != first.generation
    assert (first.metageneration, second.metageneration) == (2, 1)


@check(
    "GCS-003",
    source=f"{_GENERATIONS} promises that they differ; that they grow is what everyone sees",
    assumed=True,
)
def test_generations_grow(bucket: Any, name: str) -> None:
    """Later generations of an object are larger numbers."""
    seen = []
    for content in "123":
        blob = bucket.blob(name)
        blob.upload_from_string(content, retry=None)
        seen.append(blob.generation)
    assert seen == sorted(set(seen))


_CALLS = {
    "upload": lambda blob, given: blob.upload_from_string("new", retry=None, **given),
    "patch": lambda blob, given: blob.patch(retry=None, **given),
    "delete": lambda blob, given: blob.delete(retry=None, **given),
    "get": lambda blob, given: blob.reload(retry=None, **given),
    "download": lambda blob, given: blob.download_as_bytes(retry=None, **given),
    "compose": lambda blob, given: blob.compose([blob], retry=None, **given),
    "rewrite": lambda blob, given: blob.rewrite(blob, retry=None, **given),
}
# Compose takes no condition of this kind, and the client misspells one of those of an upload.
_WITHOUT = {
    "if_generation_not_match": {"compose"},
    "if_metageneration_not_match": {"compose", "upload"},
}


def _stops(bucket: Any, name: str, given: str, difference: int, expected: type[Exception]) -> None:
    calls = _CALLS.keys() - _WITHOUT.get(given, set())
    for call in sorted(calls):
        act, blob = _CALLS[call], bucket.blob(f"{name}/{call}")
        blob.upload_from_string("old", retry=None)
        number = blob.metageneration if "meta" in given else blob.generation
        with pytest.raises(expected):
            act(bucket.blob(blob.name), {given: number + difference})
        assert bucket.blob(blob.name).download_as_bytes(retry=None) == b"old"


@check("GCS-004", source=f"{_PRECONDITIONS}: ifGenerationMatch, 412 when the values do not match")
def test_a_generation_that_does_not_match(bucket: Any, name: str) -> None:
    """ifGenerationMatch with another number stops every call with 412."""
    _stops(bucket, name, "if_generation_match", 1, exceptions.PreconditionFailed)


@check("GCS-005", source=f"{_PRECONDITIONS}: ifMetagenerationMatch, 412 when the values do not match")
def test_a_metageneration_that_does_not_match(bucket: Any, name: str) -> None:
    """ifMetagenerationMatch with another number stops every call with 412."""
    _stops(bucket, name, "if_metageneration_match", 1, exceptions.PreconditionFailed)


@check("GCS-006", source=f"{_PRECONDITIONS}: ifGenerationNotMatch, 304 when the values match")
def test_a_generation_that_must_not_match(bucket: Any, name: str) -> None:
    """ifGenerationNotMatch with the object's number stops every call with 304."""
    _stops(bucket, name, "if_generation_not_match", 0, exceptions.NotModified)


@check("GCS-007", source=f"{_PRECONDITIONS}: ifMetagenerationNotMatch, 304 when the values match")
def test_a_metageneration_that_must_not_match(bucket: Any, name: str) -> None:
    """ifMetagenerationNotMatch with the object's number stops every call with 304."""
    _stops(bucket, name, "if_metageneration_not_match", 0, exceptions.NotModified)


@check("GCS-008", source=f"{_INSERT}, ifGenerationNotMatch: if no live object exists, the precondition fails")
def test_not_match_needs_an_object(bucket: Any, name: str) -> None:
    """ifGenerationNotMatch fails for an upload where there is no object."""
    with pytest.raises((exceptions.NotModified, exceptions.PreconditionFailed)):
        bucket.blob(name).upload_from_string("x", if_generation_not_match=7, retry=None)
    assert not bucket.blob(name).exists(retry=None)


@check("GCS-009", source=f"{_ERRORS}: 412, conditionNotMet")
def test_the_words_of_412(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """A failed precondition is told as JSON, with code 412 and the reason conditionNotMet."""
    bucket.blob(name).upload_from_string("x", retry=None)
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}"
    error = http.delete(url, params={"ifGenerationMatch": "1"}).json()["error"]
    assert (error["code"], error["errors"][0]["reason"]) == (412, "conditionNotMet")


@check("GCS-010", source=f"{_ERRORS}: 404, notFound; its example")
def test_the_words_of_404(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """A missing object is told as JSON, with code 404, the domain global and the reason notFound."""
    answer = http.get(f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["errors"][0]["reason"]) == (404, 404, "notFound")
    assert error["errors"][0]["domain"] == "global"
    assert error["message"]


@check("GCS-011", source=f"{_ERRORS}: 400, required")
def test_an_upload_needs_a_name(bucket: Any, endpoint: str, http: requests.Session) -> None:
    """An upload without a name is refused with 400."""
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=media"
    assert http.post(url, data=b"x").status_code == 400


@check("GCS-012", source=f"{_ERRORS}: 400, invalid, for a parameter that cannot be read")
def test_a_condition_that_is_no_number(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """A generation that is no number is refused with 400."""
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}"
    assert http.delete(url, params={"ifGenerationMatch": "zero"}).status_code == 400


@check("GCS-013", source="storage/docs/objects#naming: any Unicode but CR and LF, at most 1024 bytes")
def test_names(bucket: Any, name: str) -> None:
    """A name may hold slashes, spaces, percent signs, question marks and letters of any script."""
    for odd in (f"{name}//a b%2F?x=1#y", f"{name}/雪☃/é", f"/{name}/../x", f"{name}+;,'\""):
        bucket.blob(odd).upload_from_string(odd.encode(), retry=None)
        assert bucket.blob(odd).download_as_text(retry=None) == odd
        assert [blob.name for blob in bucket.list_blobs(prefix=odd, retry=None)] == [odd]


@check("GCS-014", source="storage/docs/objects#naming: no CR or LF, not . or .., at most 1024 bytes")
@pytest.mark.parametrize("wrong", ["a\nb", "a\rb", "x" * 1025])
def test_names_that_are_none(bucket: Any, wrong: str) -> None:
    """A name with a line end, or of more than 1024 bytes, is refused with 400."""
    with pytest.raises(exceptions.BadRequest):
        bucket.blob(wrong).upload_from_string("x", retry=None)


@check("GCS-015", source="storage/docs/json_api/v1/objects/delete: generation")
def test_a_generation_that_is_gone(bucket: Any, name: str) -> None:
    """Without versioning a replaced generation is not found."""
    old = bucket.blob(name)
    old.upload_from_string("1", retry=None)
    bucket.blob(name).upload_from_string("2", retry=None)
    assert bucket.get_blob(name, generation=old.generation, retry=None) is None


@check("GCS-016", source="storage/docs/consistency: read-after-write, read-after-delete, object listing")
def test_reads_after_writes(bucket: Any, name: str) -> None:
    """What was written, replaced or deleted is so for the next read and the next list."""
    for number in range(10):
        bucket.blob(name).upload_from_string(str(number), retry=None)
        assert bucket.blob(name).download_as_text(retry=None) == str(number)
    bucket.blob(name).delete(retry=None)
    assert not bucket.blob(name).exists(retry=None)
    assert list(bucket.list_blobs(prefix=name, retry=None)) == []


@check("GCS-017", source="storage/docs/data-validation: MD5 and CRC32C of a complete upload are compared")
@pytest.mark.parametrize("kind", ["md5", "crc32c"])
def test_a_wrong_checksum(bucket: Any, name: str, endpoint: str, http: requests.Session, kind: str) -> None:
    """An upload with a checksum that is not its own is refused, and nothing is stored."""
    wrong = {"md5": "AAAAAAAAAAAAAAAAAAAAAA==", "crc32c": "AAAAAA=="}[kind]
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name={name}"
    answer = http.post(url, data=b"content", headers={"x-goog-hash": f"{kind}={wrong}"})
    assert answer.status_code == 400
    assert not bucket.blob(name).exists(retry=None)


@check("GCS-018", source="storage/docs/json_api/v1/objects#resource: crc32c and md5Hash, base64")
def test_the_checksums_that_are_told(bucket: Any, name: str) -> None:
    """An object tells its CRC32C, big-endian, and its MD5, both in base64."""
    bucket.blob(name).upload_from_string("hello", retry=None)
    found = bucket.get_blob(name, retry=None)
    assert (found.crc32c, found.md5_hash) == ("mnG7TA==", "XUFAKrxLKna5cZ2REBfFkg==")


@check("GCS-019", source="storage/docs/metadata#etags; google-cloud-storage if_etag_match")
def test_etags(bucket: Any, name: str) -> None:
    """A read under the etag of another state is refused with 412; under its own it is answered."""
    blob = bucket.blob(name)
    blob.upload_from_string("x", retry=None)
    assert blob.download_as_bytes(if_etag_match=blob.etag, retry=None) == b"x"
    with pytest.raises(exceptions.PreconditionFailed):
        blob.download_as_bytes(if_etag_match="CAA=", retry=None)


@check("GCS-020", source="storage/docs/json_api#partial-response: fields")
def test_partial_answers(bucket: Any, name: str, endpoint: str, http: requests.Session) -> None:
    """fields chooses what an answer tells, of one object and of each in a list."""
    bucket.blob(name).upload_from_string("x", retry=None)
    base = f"{endpoint}/storage/v1/b/{bucket.name}/o"
    assert http.get(f"{base}/{name}", params={"fields": "name,size"}).json() == {"name": name, "size": "1"}
    listed = http.get(base, params={"fields": "items(name)", "prefix": name}).json()
    assert listed == {"items": [{"name": name}]}


@check("GCS-021", source="storage/docs/object-holds: cannot be deleted or replaced; metadata can be edited")
def test_holds(bucket: Any, name: str) -> None:
    """An object under a hold is neither deleted nor replaced, but its metadata can be changed."""
    blob = bucket.blob(name)
    blob.upload_from_string("x", retry=None)
    blob.temporary_hold = True
    blob.patch(retry=None)
    with pytest.raises(exceptions.Forbidden):
        bucket.blob(name).delete(retry=None)
    with pytest.raises(exceptions.Forbidden):
        bucket.blob(name).upload_from_string("y", retry=None)
    blob.metadata, blob.temporary_hold = {"a": "1"}, False
    blob.patch(retry=None)
    blob.delete(retry=None)


@check(
    "GCS-022", source="storage/docs/json_api/v1/buckets/delete: the bucket must be empty; status-codes 409"
)
def test_a_bucket_that_is_not_empty(bucket: Any, name: str) -> None:
    """A bucket that holds an object is not deleted: 409."""
    bucket.blob(name).upload_from_string("x", retry=None)
    with pytest.raises(exceptions.Conflict):
        bucket.delete(retry=None)


@check("GCS-023", source="storage/docs/json_api/v1/status-codes: 409, you already own this bucket")
def test_a_bucket_that_exists(client: storage.Client, bucket: Any) -> None:
    """To create a bucket that exists is refused with 409."""
    with pytest.raises(exceptions.Conflict):
        client.create_bucket(bucket.name, retry=None)


@check(
    "GCS-024", source="storage/docs/bucket-metadata: metageneration is 1 at first and grows with each change"
)
def test_the_metageneration_of_a_bucket(client: storage.Client, bucket_of_its_own: Any) -> None:
    """Each change of a bucket adds one to its metageneration, and an older number stops a change with 412."""
    assert bucket_of_its_own.metageneration == 1
    bucket_of_its_own.labels = {"a": "1", "b": "2"}
    bucket_of_its_own.patch(if_metageneration_match=1, retry=None)
    assert bucket_of_its_own.metageneration == 2
    with pytest.raises(exceptions.PreconditionFailed):
        bucket_of_its_own.patch(if_metageneration_match=1, retry=None)


@check("GCS-025", source="storage/docs/json_api/v1/buckets/patch: patch semantics; labels are set to null")
def test_labels(client: storage.Client, bucket_of_its_own: Any) -> None:
    """A label that is taken away is gone, the others stay."""
    bucket_of_its_own.labels = {"a": "1", "b": "2"}
    bucket_of_its_own.patch(retry=None)
    bucket_of_its_own.labels = {"b": "2"}
    bucket_of_its_own.patch(retry=None)
    assert client.get_bucket(bucket_of_its_own.name, retry=None).labels == {"b": "2"}


@check("GCS-026", source="storage/docs/tags-and-labels#bucket-labels: lower case, at most 63 characters")
def test_labels_that_are_none(bucket_of_its_own: Any) -> None:
    """A label with an upper-case letter is refused with 400."""
    bucket_of_its_own.labels = {"Upper": "case"}
    with pytest.raises(exceptions.BadRequest):
        bucket_of_its_own.patch(retry=None)


@check("GCS-027", source="storage/docs/json_api/v1/buckets/list: prefix, maxResults, nextPageToken")
def test_buckets_are_listed(client: storage.Client, bucket: Any) -> None:
    """A bucket is found in the list of its project, by its prefix."""
    found = client.list_buckets(prefix=bucket.name[:-1], page_size=1, retry=None)
    assert bucket.name in [each.name for each in found]


@check("GCS-044", source="storage/quotas: custom metadata of an object, 8 KiB")
def test_custom_metadata_is_bounded(bucket: Any, name: str) -> None:
    """Names and values of custom metadata have at most 8 KiB together; more is refused with 400."""
    blob = bucket.blob(name)
    blob.metadata = {"k": "v" * 8191}
    blob.upload_from_string("x")
    blob.metadata = {"k": "v" * 8192}
    with pytest.raises(exceptions.BadRequest):
        blob.patch(retry=None)
    assert len(bucket.get_blob(name).metadata["k"]) == 8191


@check("GCS-045", source="storage/docs/objects#naming: . and .., line ends, .well-known/acme-challenge/")
@pytest.mark.parametrize("wrong", [".", "..", "a\nb", "a\rb", ".well-known/acme-challenge/x", "x" * 1025])
def test_a_name_that_no_object_may_have(bucket: Any, wrong: str) -> None:
    """A name of dots, with a line end, of Google's own challenge or of more than 1024 bytes is refused with 400."""
    with pytest.raises(exceptions.BadRequest):
        bucket.blob(wrong).upload_from_string("x", retry=None)


@check("GCS-043", source="storage/docs/objects#naming: object names are UTF-8")
def test_a_name_is_utf_8(http: requests.Session, endpoint: str, bucket: Any, name: str) -> None:
    """A name that is not UTF-8 is refused with 400, and no other name takes its place."""
    upload = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name={name}%FF"
    assert http.post(upload, data=b"x", timeout=60).status_code == 400
    assert http.get(f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}%FF", timeout=60).status_code == 400
    assert [blob.name for blob in bucket.list_blobs(prefix=name)] == []
