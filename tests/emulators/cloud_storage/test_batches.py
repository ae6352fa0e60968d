"""Many calls in one request, as the stock client batches them."""

from typing import Any

import httpx2
import pytest
from google.api_core import exceptions
from google.cloud import storage


def test_deletes_and_changes_go_together(client: storage.Client, bucket: Any) -> None:
    """Each finds its object, and what the client was told is what is stored."""
    blobs = [bucket.blob(f"o/{number} ☃") for number in range(20)]
    for blob in blobs:
        blob.upload_from_string("x", retry=None)
    with client.batch():
        for blob in blobs[:10]:
            blob.delete(retry=None)
        for blob in blobs[10:]:
            blob.metadata = {"kept": "yes"}
            blob.patch(retry=None)
    assert [blob.metageneration for blob in blobs[10:]] == [2] * 10
    found = list(bucket.list_blobs(retry=None))
    assert {blob.name for blob in found} == {blob.name for blob in blobs[10:]}
    assert all(blob.metadata == {"kept": "yes"} for blob in found)


def test_one_that_fails_does_not_stop_the_others(client: storage.Client, bucket: Any) -> None:
    bucket.blob("there").upload_from_string("x", retry=None)
    bucket.blob("newer").upload_from_string("x", retry=None)
    with client.batch(raise_exception=False) as batch:
        bucket.blob("missing").delete(retry=None)
        bucket.blob("newer").delete(if_generation_match=7, retry=None)
        bucket.blob("there").delete(retry=None)
    assert [answer.status_code for answer in batch._responses] == [404, 412, 204]
    assert [blob.name for blob in bucket.list_blobs(retry=None)] == ["newer"]
    with pytest.raises(exceptions.NotFound), client.batch():
        bucket.blob("missing").delete(retry=None)


def send(endpoint: str, *requests: str, kind: str = "multipart/mixed") -> httpx2.Response:
    parts = "".join(
        f"--line\r\nContent-Type: application/http\r\nContent-ID: <{number}>\r\n\r\n{request}\r\n"
        for number, request in enumerate(requests)
    )
    headers = {"Content-Type": f"{kind}; boundary=line"}
    url = f"{endpoint}/batch/storage/v1"
    return httpx2.post(url, content=f"{parts}--line--\r\n", headers=headers, trust_env=False)


def test_answers_come_in_order_and_name_their_calls(bucket: Any, endpoint: str) -> None:
    bucket.blob("x").upload_from_string("x", retry=None)
    path = f"/storage/v1/b/{bucket.name}/o"
    body = '{"metadata": {"a": "b"}}'
    change = f"PATCH {path}/x HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{body}"
    answer = send(endpoint, f"GET {path}/x", change, f"GET {path}/missing")
    assert answer.status_code == 200
    assert [answer.text.index(f"<response-{number}>") for number in range(3)] == sorted(
        answer.text.index(f"<response-{number}>") for number in range(3)
    )
    assert [line.split()[1] for line in answer.text.splitlines() if line.startswith("HTTP/1.1")] == [
        "200",
        "200",
        "404",
    ]
    assert bucket.get_blob("x", retry=None).metadata == {"a": "b"}


@pytest.mark.parametrize(
    "request_line",
    [
        "POST /upload/storage/v1/b/{bucket}/o?uploadType=media&name=y HTTP/1.1",
        "GET /download/storage/v1/b/{bucket}/o/x?alt=media HTTP/1.1",
        "GET /storage/v1/b/{bucket}/o/x?alt=media HTTP/1.1",
        "POST /batch/storage/v1 HTTP/1.1",
        "DELETE /{bucket}/x HTTP/1.1",
    ],
)
def test_neither_uploads_nor_downloads_nor_other_apis_can_be_batched(
    bucket: Any, endpoint: str, request_line: str
) -> None:
    bucket.blob("x").upload_from_string("content", retry=None)
    answer = send(endpoint, request_line.format(bucket=bucket.name) + "\r\n\r\n")
    assert "HTTP/1.1 400" in answer.text
    assert [blob.name for blob in bucket.list_blobs(retry=None)] == ["x"]


def test_a_body_that_is_no_batch_is_refused(endpoint: str) -> None:
    assert httpx2.post(f"{endpoint}/batch/storage/v1", trust_env=False).status_code == 400
    assert send(endpoint, "GET /storage/v1/b", kind="multipart/related").status_code == 400
    assert send(endpoint, "nonsense").status_code == 400
    assert send(endpoint, *["GET /storage/v1/b"] * 1001).status_code == 400
