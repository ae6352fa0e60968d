"""Multipart uploads of the XML API, as the stock client's transfer manager makes them."""

import os
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.cloud.storage import transfer_manager

MEBIBYTE = 1 << 20
DATA = os.urandom(11 * MEBIBYTE + 7)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return str(path)


def call(method: str, url: str, content: bytes = b"", **headers: str) -> httpx2.Response:
    return httpx2.request(method, url, content=content, headers=headers, trust_env=False, timeout=60)


def start(endpoint: str, bucket: Any, name: str, **headers: str) -> str:
    """The address to send parts to."""
    url = f"{endpoint}/{bucket.name}/{name}"
    found = re.search("<UploadId>(.*)</UploadId>", call("POST", f"{url}?uploads", **headers).text)
    assert found
    return f"{url}?uploadId={found[1]}"


def send(upload: str, number: int, content: bytes, **headers: str) -> httpx2.Response:
    return call("PUT", f"{upload}&partNumber={number}", content, **headers)


def complete(upload: str, *parts: tuple[int, str]) -> httpx2.Response:
    named = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts
    )
    return call("POST", upload, f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode())


@pytest.mark.parametrize("checksum", ["md5", "crc32c", None])
def test_the_stock_client_uploads_in_concurrent_chunks(bucket: Any, file: str, checksum: str | None) -> None:
    """With the object's type and metadata; each part is checked."""
    blob = bucket.blob("in/parts ☃")
    blob.metadata, blob.cache_control = {"a": "b"}, "no-store"
    transfer_manager.upload_chunks_concurrently(
        file,
        blob,
        content_type="text/x-y",
        chunk_size=5 * MEBIBYTE,
        checksum=checksum,
        worker_type=transfer_manager.THREAD,
    )
    found = bucket.get_blob("in/parts ☃", retry=None)
    assert (found.size, found.md5_hash) == (len(DATA), None)
    assert (found.content_type, found.metadata, found.cache_control) == ("text/x-y", {"a": "b"}, "no-store")
    assert found.download_as_bytes(retry=None) == DATA


def test_parts_come_in_any_order_and_may_be_sent_again(bucket: Any, endpoint: str) -> None:
    upload = start(endpoint, bucket, "ordered")
    last = send(upload, 7, b"end").headers["etag"]
    send(upload, 2, b"x" * 6 * MEBIBYTE)
    first = send(upload, 2, b"y" * 5 * MEBIBYTE).headers["etag"]
    assert not bucket.blob("ordered").exists(retry=None)
    assert complete(upload, (2, first), (7, last)).status_code == 200
    assert bucket.blob("ordered").download_as_bytes(retry=None) == b"y" * 5 * MEBIBYTE + b"end"
    assert send(upload, 8, b"x").status_code == 404


def test_an_aborted_upload_is_gone(bucket: Any, endpoint: str) -> None:
    upload = start(endpoint, bucket, "aborted")
    etag = send(upload, 1, b"x").headers["etag"]
    assert call("DELETE", upload).status_code == 204
    assert complete(upload, (1, etag)).status_code == 404
    assert not bucket.blob("aborted").exists(retry=None)


def test_what_does_not_fit_is_refused(bucket: Any, endpoint: str) -> None:
    """Parts that are too small, out of order, unknown, or with a wrong checksum; then the upload still goes on."""
    upload = start(endpoint, bucket, "misfit")
    assert send(upload, 1, b"x", **{"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}).status_code == 400
    one, two = (send(upload, number, b"small").headers["etag"] for number in (1, 2))
    for parts, code in (
        ([(1, one), (2, two)], "EntityTooSmall"),
        ([(2, two), (1, one)], "InvalidPartOrder"),
        ([(1, one), (3, two)], "InvalidPart"),
        ([(1, '"00"')], "InvalidPart"),
        ([], "InvalidPartOrder"),
    ):
        answer = complete(upload, *parts)
        assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (400, True)
    for body in (
        b"<no",
        b"<!DOCTYPE a><CompleteMultipartUpload/>",
        b"<C><Part><PartNumber>x</PartNumber></Part></C>",
    ):
        assert call("POST", upload, body).status_code == 400
    for number in ("0", "10001", "x"):
        assert call("PUT", f"{upload}&partNumber={number}", b"x").status_code == 400
    assert complete(upload, (1, one)).status_code == 200


def test_an_upload_is_for_its_object(bucket: Any, endpoint: str) -> None:
    upload = start(endpoint, bucket, "mine")
    assert send(upload.replace("/mine?", "/other?"), 1, b"x").status_code == 404
    for unknown in ("../../contents", "a" * 300):
        assert send(f"{endpoint}/{bucket.name}/mine?uploadId={unknown}", 1, b"x").status_code == 404


def test_its_announced_length_holds_at_its_end(bucket: Any, endpoint: str) -> None:
    upload = start(endpoint, bucket, "long", **{"x-goog-content-length-range": "0,3"})
    etag = send(upload, 1, b"too long").headers["etag"]
    assert complete(upload, (1, etag)).status_code == 400
    assert bucket.get_blob("long", retry=None) is None


def test_its_conditions_hold_at_its_end(bucket: Any, endpoint: str) -> None:
    upload = start(endpoint, bucket, "raced", **{"x-goog-if-generation-match": "0"})
    etag = send(upload, 1, b"second").headers["etag"]
    bucket.blob("raced").upload_from_string("first", retry=None)
    assert complete(upload, (1, etag)).status_code == 412
    assert bucket.blob("raced").download_as_bytes(retry=None) == b"first"
