"""Many calls in one request."""

from typing import Any

import pytest
import requests
from google.api_core import exceptions

from tests.conformance.check import check

BATCH = "storage/docs/batch"


def send(http: requests.Session, endpoint: str, *calls: str) -> requests.Response:
    parts = "".join(
        f"--line\r\nContent-Type: application/http\r\nContent-ID: <{number}>\r\n\r\n{call}\r\n\r\n"
        for number, call in enumerate(calls)
    )
    headers = {"Content-Type": "multipart/mixed; boundary=line"}
    return http.post(f"{endpoint}/batch/storage/v1", f"{parts}--line--\r\n", headers=headers, timeout=60)


def statuses(answer: requests.Response) -> list[int]:
    return [int(line.split()[1]) for line in answer.text.splitlines() if line.startswith("HTTP/1.1 ")]


@check("GCS-300", source=f"{BATCH}; the client's Client.batch")
def test_the_client_deletes_in_a_batch(client: Any, bucket: Any, name: str) -> None:
    """Deletes and metadata changes of the stock client go in one multipart/mixed request."""
    blobs = [bucket.blob(f"{name}/{number}") for number in range(5)]
    for blob in blobs:
        blob.upload_from_string("x")
    with client.batch():
        for blob in blobs[1:]:
            blob.delete()
        blobs[0].metadata = {"a": "b"}
        blobs[0].patch()
    assert blobs[0].metageneration == 2
    assert [blob.name for blob in client.list_blobs(bucket, prefix=f"{name}/")] == [blobs[0].name]


@check("GCS-301", source=f"{BATCH}: each call has its own status")
def test_calls_of_a_batch_fail_on_their_own(client: Any, bucket: Any, name: str) -> None:
    """A call that fails does not stop the others, and its part has its status."""
    bucket.blob(name).upload_from_string("x")
    with client.batch(raise_exception=False) as batch:
        bucket.blob(f"{name}-missing").delete()
        bucket.blob(name).delete(if_generation_match=1)
        bucket.blob(name).delete()
    assert [answer.status_code for answer in batch._responses] == [404, 412, 204]


@check("GCS-302", source="the client's Batch, raise_exception")
def test_the_client_raises_what_a_part_says(client: Any, bucket: Any, name: str) -> None:
    """The error of a part is raised by the stock client once all parts were sent."""
    with pytest.raises(exceptions.NotFound), client.batch():
        bucket.blob(name).delete()


@check("GCS-303", source=f"{BATCH}: Content-ID: <response-...>")
def test_parts_answer_under_their_ids(http: requests.Session, endpoint: str, bucket: Any, name: str) -> None:
    """The part of an answer has the Content-ID of its call, with response- before it."""
    bucket.blob(name).upload_from_string("x")
    path = f"/storage/v1/b/{bucket.name}/o/{name}"
    answer = send(http, endpoint, f"GET {path} HTTP/1.1", f"DELETE {path} HTTP/1.1")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("multipart/mixed")
    assert "<response-0>" in answer.text
    assert "<response-1>" in answer.text
    assert statuses(answer) == [200, 204]


@check("GCS-304", source=f"{BATCH}: no batches of uploads or downloads", assumed=True)
def test_bytes_do_not_go_in_a_batch(http: requests.Session, endpoint: str, bucket: Any, name: str) -> None:
    """An upload or a download in a batch is refused; the page says that there is none, not with which status."""
    bucket.blob(name).upload_from_string("content")
    path = f"/storage/v1/b/{bucket.name}/o"
    answer = send(
        http,
        endpoint,
        f"GET {path}/{name}?alt=media HTTP/1.1",
        f"POST /upload{path}?uploadType=media&name={name}-2 HTTP/1.1",
    )
    assert all(400 <= status < 500 for status in [answer.status_code, *statuses(answer)] if status != 200)
    assert not bucket.blob(f"{name}-2").exists()
