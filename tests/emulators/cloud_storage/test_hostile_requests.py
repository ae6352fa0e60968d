"""What no well-behaved client sends is refused with 4xx, and leaves what is stored as it was."""

import gzip
import json
from typing import Any

import httpx2
import pytest

SESSION = "/upload/storage/v1/b/{}/o?uploadType=resumable&name={}"


def call(method: str, url: str, content: bytes = b"", **headers: str) -> httpx2.Response:
    return httpx2.request(method, url, content=content, headers=headers, trust_env=False, timeout=60)


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata": {"k": "\\ud800"}}',
        b'{"metadata": {"k": "\xff"}}',
        b'{"metadata": {"k": 1}}',
        b'{"contentType": NaN}',
        b'{"contentType": "a\\nb"}',
        b'{"customTime": "yesterday"}',
        b"[" * 100_000,
        b"nothing",
    ],
)
def test_metadata_that_could_not_be_told_again_is_refused(bucket: Any, endpoint: str, body: bytes) -> None:
    """Otherwise one such object would spoil every list."""
    bucket.blob("a").upload_from_string("x", retry=None)
    assert call("PATCH", f"{endpoint}/storage/v1/b/{bucket.name}/o/a", body).status_code == 400
    assert [blob.metadata for blob in bucket.list_blobs(retry=None)] == [None]


@pytest.mark.parametrize("value", ["-1", "abc", "", "0x1", "1.0", "9" * 5000])
@pytest.mark.parametrize("name", ["ifGenerationMatch", "ifMetagenerationNotMatch", "generation"])
def test_a_number_that_is_none_is_refused(bucket: Any, endpoint: str, name: str, value: str) -> None:
    bucket.blob("a").upload_from_string("x", retry=None)
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/a?{name}={value}"
    if (name, value) != ("generation", ""):
        assert call("GET", url).status_code == 400
        assert call("PATCH", url, b"{}").status_code == 400


@pytest.mark.parametrize(
    "content_range",
    ["bytes 5-4/10", "bytes 0-9/5", "garbage", "bytes -1-3/4", f"bytes 0-3/{'9' * 5000}", "bytes 0-0/0"],
)
def test_a_content_range_that_contradicts_itself_is_refused(
    bucket: Any, endpoint: str, content_range: str
) -> None:
    """And the upload goes on."""
    session = call("POST", endpoint + SESSION.format(bucket.name, "a")).headers["location"]
    assert call("PUT", session, b"abcd", **{"Content-Range": content_range}).status_code == 400
    assert call("PUT", session, b"abcd").status_code == 200


def test_a_session_is_of_its_bucket(bucket: Any, client: Any, endpoint: str) -> None:
    other = client.create_bucket(f"{bucket.name}-other", retry=None)
    session = call("POST", endpoint + SESSION.format(bucket.name, "a")).headers["location"]
    astray = session.replace(f"/b/{bucket.name}/", f"/b/{other.name}/")
    assert (call("PUT", astray, b"x").status_code, call("DELETE", astray).status_code) == (404, 404)
    assert call("PUT", session, b"x").status_code == 200


def test_a_download_in_a_batch_is_refused_however_it_is_written(bucket: Any, endpoint: str) -> None:
    """In its part; the other calls are made."""
    bucket.blob("a").upload_from_string("x", retry=None)
    one = f"/storage/v1/b/{bucket.name}/o/a"
    parts = "".join(
        f"--x\r\nContent-Type: application/http\r\n\r\nGET {one}{query} HTTP/1.1\r\n\r\n"
        for query in ("", "?alt=media", "?alt=%6dedia", "?alt=json&alt=media")
    )
    answer = call(
        "POST",
        f"{endpoint}/batch/storage/v1",
        f"{parts}--x--".encode(),
        **{"Content-Type": "multipart/mixed; boundary=x"},
    )
    statuses = [line.split()[1] for line in answer.text.splitlines() if line.startswith("HTTP/1.1")]
    assert (answer.status_code, statuses) == (200, ["200", "400", "400", "400"])


def test_what_is_no_gzip_comes_as_it_is(bucket: Any, endpoint: str) -> None:
    """Though its metadata say that it is; and several members of gzip are one content."""
    upload = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=media&contentEncoding=gzip&name="
    packed = gzip.compress(b"one") + gzip.compress(b"two")
    for name, content, seen in (("no", b"plainly", b"plainly"), ("two", packed, b"onetwo")):
        call("POST", upload + name, content)
        url = f"{endpoint}/storage/v1/b/{bucket.name}/o/{name}?alt=media"
        with httpx2.stream("GET", url, headers={"Accept-Encoding": "identity"}, trust_env=False) as answer:
            assert b"".join(answer.iter_raw()) == seen


@pytest.mark.parametrize("query", ["name=%FF", "name=a&prefix=%C3%28"])
def test_a_query_that_is_not_utf_8_is_refused(bucket: Any, endpoint: str, query: str) -> None:
    upload = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=media&{query}"
    assert call("POST", upload, b"x").status_code == 400
    assert call("GET", f"{endpoint}/storage/v1/b/{bucket.name}/o?{query}").status_code == 400
    assert list(bucket.list_blobs(retry=None)) == []


@pytest.mark.parametrize(
    "name", ["192.168.1.1", "a..b", f"{'a' * 64}", f"a.{'b' * 64}", "goog-x", "A-b", "ab"]
)
def test_a_bucket_name_that_is_none_is_refused(endpoint: str, name: str) -> None:
    body = json.dumps({"name": name}).encode()
    assert call("POST", f"{endpoint}/storage/v1/b?project=p", body).status_code == 400
