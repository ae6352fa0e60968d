"""Objects through the stock client: content, metadata, names, copies."""

import gzip
import io
import os
from typing import Any

import httpx2
import pytest
from google.api_core import exceptions
from google.cloud import storage

ODD_NAMES = [
    "a b",
    "snow☃/💤.txt",
    "../../etc/passwd",
    "a/../b",
    "/leading//double/",
    "100%",
    "%2F",
    "a%2Fb",
    "q?x=1&y=2",
    "frag#ment",
    "semi;colon,comma",
    "plus+plus",
    "tab\there",
    "nul\0byte",
    "quote\"'`$(id)",
    "o/acl",
    "compose",
    "é-e\u0301",
    "x" * 1024,
]


def test_what_was_uploaded_is_downloaded(bucket: Any) -> None:
    blob = bucket.blob("dir/hello.txt")
    blob.upload_from_string("hello", content_type="text/plain", retry=None)
    found = bucket.get_blob("dir/hello.txt", retry=None)
    assert found.download_as_bytes(retry=None) == b"hello"
    assert (found.content_type, found.size, found.metageneration) == ("text/plain", 5, 1)
    assert found.crc32c == "mnG7TA=="
    assert found.md5_hash == "XUFAKrxLKna5cZ2REBfFkg=="
    assert found.media_link.startswith("http://127.0.0.1:")
    assert found.etag
    assert found.time_created.tzinfo is not None


def test_an_empty_object_is_an_object(bucket: Any) -> None:
    bucket.blob("empty").upload_from_string(b"", retry=None)
    assert bucket.blob("empty").download_as_bytes(retry=None) == b""
    assert bucket.get_blob("empty", retry=None).size == 0


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 0, b"0"),
        (3, 5, b"345"),
        (8, None, b"89"),
        (-3, None, b"789"),
        (5, 500, b"56789"),
        (None, 2, b"012"),
    ],
)
def test_a_range_is_downloaded(bucket: Any, start: Any, end: Any, expected: bytes) -> None:
    bucket.blob("digits").upload_from_string(b"0123456789", retry=None)
    assert bucket.blob("digits").download_as_bytes(start=start, end=end, retry=None) == expected


def test_a_range_beyond_the_end_is_refused(bucket: Any) -> None:
    bucket.blob("digits").upload_from_string(b"0123456789", retry=None)
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        bucket.blob("digits").download_as_bytes(start=10, retry=None)


def test_an_object_is_read_and_written_as_a_file(bucket: Any) -> None:
    """blob.open, in pieces smaller than the object."""
    data = os.urandom(1_500_000)
    with bucket.blob("file").open("wb", chunk_size=256 * 1024, retry=None) as file:
        for start in range(0, len(data), 100_000):
            file.write(data[start : start + 100_000])
    with bucket.blob("file").open("rb", chunk_size=256 * 1024, retry=None) as file:
        assert file.read() == data


def test_a_chunked_download_is_whole(bucket: Any) -> None:
    data = os.urandom(900_000)
    bucket.blob("chunks").upload_from_string(data, retry=None)
    target = io.BytesIO()
    bucket.blob("chunks", chunk_size=256 * 1024).download_to_file(target, retry=None)
    assert target.getvalue() == data


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_an_odd_name_is_only_a_name(bucket: Any, name: str) -> None:
    """Stored, listed, read by every link, copied and deleted under exactly that name."""
    bucket.blob(name).upload_from_string(name.encode(), retry=None)
    assert [blob.name for blob in bucket.list_blobs(retry=None)] == [name]
    found = bucket.get_blob(name, retry=None)
    assert found.download_as_bytes(retry=None) == name.encode()
    assert httpx2.get(found.media_link, trust_env=False).content == name.encode()
    bucket.copy_blob(found, bucket, "copy", retry=None)
    bucket.delete_blob(name, retry=None)
    assert [blob.name for blob in bucket.list_blobs(retry=None)] == ["copy"]


@pytest.mark.parametrize("name", [".", "..", "line\nend", "return\r", "x" * 1025], ids=ascii)
def test_a_name_that_cloud_storage_refuses_is_refused(bucket: Any, name: str) -> None:
    with pytest.raises(exceptions.BadRequest):
        bucket.blob(name).upload_from_string("x", retry=None)


def test_metadata_is_changed_key_by_key(bucket: Any) -> None:
    blob = bucket.blob("meta")
    blob.metadata = {"a": "1", "ü": "snow ☃\nline", "gone": "x"}
    blob.cache_control = "no-store"
    blob.upload_from_string("x", retry=None)
    blob.metadata = {"a": "2", "gone": None}
    blob.content_language = "it"
    blob.patch(retry=None)
    found = bucket.get_blob("meta", retry=None)
    assert found.metadata == {"a": "2", "ü": "snow ☃\nline"}
    assert (found.cache_control, found.content_language, found.metageneration) == ("no-store", "it", 2)
    assert found.download_as_bytes(retry=None) == b"x"


def test_an_update_replaces_all_metadata(bucket: Any) -> None:
    blob = bucket.blob("meta")
    blob.metadata = {"a": "1"}
    blob.upload_from_string("x", retry=None)
    blob.metadata = {"b": "2"}
    blob.update(retry=None)
    assert bucket.get_blob("meta", retry=None).metadata == {"b": "2"}


def test_a_patch_with_an_empty_body_changes_nothing_else(bucket: Any, endpoint: str) -> None:
    bucket.blob("same").upload_from_string("x", content_type="text/plain", retry=None)
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/same"
    answer = httpx2.patch(url, trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["contentType"] == "text/plain"


def test_metadata_cannot_split_the_answer(bucket: Any, endpoint: str) -> None:
    """A value with line ends is kept, and never becomes a header."""
    blob = bucket.blob("split")
    blob.metadata = {"evil": "x\r\nSet-Cookie: a=b", "fine": "yes"}
    blob.upload_from_string("x", retry=None)
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/split?alt=media"
    headers = httpx2.get(url, trust_env=False).headers
    assert headers["x-goog-meta-fine"] == "yes"
    assert "set-cookie" not in headers
    blob.content_type = "text/plain\r\nSet-Cookie: a=b"
    with pytest.raises(exceptions.BadRequest):
        blob.patch(retry=None)


def test_a_download_says_what_it_carries(bucket: Any, endpoint: str) -> None:
    bucket.blob("said").upload_from_string("hello", content_type="text/plain", retry=None)
    blob = bucket.get_blob("said", retry=None)
    headers = httpx2.get(f"{endpoint}/storage/v1/b/{bucket.name}/o/said?alt=media", trust_env=False).headers
    assert headers["x-goog-hash"] == "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=="
    assert headers["x-goog-generation"] == str(blob.generation)
    assert headers["etag"].strip('"') == blob.etag
    assert headers["content-length"] == "5"
    assert headers["content-type"] == "text/plain"


def test_a_compressed_object_is_unpacked_for_who_does_not_take_gzip(bucket: Any, endpoint: str) -> None:
    """And comes as it is to who does."""
    blob = bucket.blob("packed")
    blob.content_encoding = "gzip"
    packed = gzip.compress(b"text" * 500_000)
    blob.upload_from_string(packed, content_type="text/plain", retry=None)
    assert blob.download_as_bytes(retry=None) == b"text" * 500_000
    assert blob.download_as_bytes(raw_download=True, retry=None) == packed
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/packed?alt=media"
    plain = httpx2.get(url, headers={"Accept-Encoding": "identity"}, trust_env=False)
    assert plain.content == b"text" * 500_000
    assert "content-encoding" not in plain.headers


def test_objects_are_copied_rewritten_moved_and_composed(client: storage.Client, bucket: Any) -> None:
    bucket.blob("a").upload_from_string("one ", content_type="text/plain", retry=None)
    bucket.blob("b").upload_from_string("two", retry=None)
    assert bucket.copy_blob(bucket.blob("a"), bucket, "copy", retry=None).content_type == "text/plain"
    token, done, size = bucket.blob("rewritten").rewrite(bucket.blob("a"), retry=None)
    assert (token, done, size) == (None, 4, 4)
    composed = bucket.blob("composed")
    composed.compose([bucket.blob("a"), bucket.blob("b")], retry=None)
    assert composed.download_as_bytes(retry=None) == b"one two"
    assert composed.md5_hash is None
    assert composed.component_count == 2
    bucket.move_blob(bucket.blob("copy"), "moved", retry=None)
    assert [blob.name for blob in bucket.list_blobs(retry=None)] == [
        "a",
        "b",
        "composed",
        "moved",
        "rewritten",
    ]
    bucket.blob("a").upload_from_string("new", retry=None)
    assert bucket.blob("moved").download_as_bytes(retry=None) == b"one "


def test_a_deleted_object_is_gone(bucket: Any) -> None:
    bucket.blob("gone").upload_from_string("x", retry=None)
    bucket.blob("gone").delete(retry=None)
    assert not bucket.blob("gone").exists(retry=None)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("gone").delete(retry=None)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("gone").download_as_bytes(retry=None)
