"""Uploads in every form: in one request, multipart, resumable; whole and checked, or not at all."""

import asyncio
import io
import json
import os
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable
from hashlib import md5
from typing import Any
from urllib.parse import urlsplit

import google_crc32c
import httpx2
import pytest
from google.cloud.storage import exceptions as storage_exceptions

from emulators.cloud_storage.uploads.multipart import read_parts

QUANTUM = 256 * 1024
DATA = os.urandom(3 * QUANTUM + 1000)


def crc32c(data: bytes) -> str:
    return b64encode(google_crc32c.Checksum(data).digest()).decode()


class Pipe(io.RawIOBase):
    """A file whose size cannot be known."""

    def __init__(self, data: bytes) -> None:
        self._source = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._source.read(size)

    def tell(self) -> int:
        return self._source.tell()


def start(endpoint: str, bucket: Any, name: str, **params: Any) -> str:
    """Begin a resumable upload over plain HTTP; the address to go on with."""
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o"
    params |= {"uploadType": "resumable", "name": name}
    answer = httpx2.post(url, params=params, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.headers["location"]


def send(url: str, data: bytes, content_range: str, **headers: str) -> httpx2.Response:
    return httpx2.put(url, content=data, headers={"Content-Range": content_range, **headers}, trust_env=False)


def part(first: int, stop: int, total: object) -> tuple[bytes, str]:
    return DATA[first:stop], f"bytes {first}-{stop - 1}/{total}"


@pytest.mark.parametrize("size", [0, 1, QUANTUM, 2 * QUANTUM, len(DATA)])
def test_a_resumable_upload_of_known_size(bucket: Any, size: int) -> None:
    blob = bucket.blob("known", chunk_size=QUANTUM)
    blob.upload_from_file(io.BytesIO(DATA[:size]), size=size, retry=None)
    assert bucket.blob("known").download_as_bytes(retry=None) == DATA[:size]


@pytest.mark.parametrize("size", [1, QUANTUM, len(DATA)])
def test_a_resumable_upload_of_unknown_size(bucket: Any, size: int) -> None:
    """The last chunk tells the total."""
    blob = bucket.blob("unknown", chunk_size=QUANTUM)
    blob.upload_from_file(Pipe(DATA[:size]), retry=None)
    assert bucket.blob("unknown").download_as_bytes(retry=None) == DATA[:size]


def test_a_large_upload_without_chunks_goes_in_one_request(bucket: Any) -> None:
    data = os.urandom(9 << 20)
    bucket.blob("large").upload_from_file(io.BytesIO(data), size=len(data), retry=None)
    assert bucket.blob("large").download_as_bytes(retry=None) == data


def test_half_way_there_is_no_object_and_308_says_how_far(bucket: Any, endpoint: str) -> None:
    url = start(endpoint, bucket, "half")
    assert "range" not in send(url, b"", "bytes */*").headers
    first = send(url, *part(0, QUANTUM, "*"))
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{QUANTUM - 1}")
    assert not bucket.blob("half").exists(retry=None)
    last = send(url, *part(QUANTUM, len(DATA), len(DATA)))
    assert (last.status_code, last.json()["size"]) == (200, str(len(DATA)))
    assert bucket.blob("half").download_as_bytes(retry=None) == DATA


def test_a_broken_upload_goes_on_where_it_was_persisted(
    bucket: Any, endpoint: str, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """A connection cut in the middle of a request: whole quanta stay, the rest is sent again."""
    url = start(endpoint, bucket, "broken")
    cut_off(url, f"bytes 0-{len(DATA) - 1}/{len(DATA)}", DATA, stop=2 * QUANTUM + 777)
    eventually(lambda: send(url, b"", f"bytes */{len(DATA)}").headers.get("range") is not None)
    status = send(url, b"", f"bytes */{len(DATA)}")
    assert (status.status_code, status.headers["range"]) == (308, f"bytes=0-{2 * QUANTUM - 1}")
    assert not bucket.blob("broken").exists(retry=None)
    assert send(url, *part(2 * QUANTUM, len(DATA), len(DATA))).status_code == 200
    assert bucket.blob("broken").download_as_bytes(retry=None) == DATA


def test_a_broken_upload_may_also_be_sent_again_from_its_start(bucket: Any, endpoint: str) -> None:
    """By a client that does not ask how far it came: what is persisted is skipped, and nothing comes twice."""
    url = start(endpoint, bucket, "again")
    cut_off(url, f"bytes 0-{len(DATA) - 1}/{len(DATA)}", DATA, stop=2 * QUANTUM + 777)
    assert send(url, *part(0, len(DATA), len(DATA))).status_code == 200
    assert bucket.blob("again").download_as_bytes(retry=None) == DATA


def cut_off(url: str, content_range: str, data: bytes, stop: int, method: str = "PUT") -> None:
    """Send the head and a part of the body, then hang up."""
    address = urlsplit(url)
    head = (
        f"{method} {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Content-Length: {len(data)}\r\n"
    )
    head += f"Content-Range: {content_range}\r\n" if content_range else ""
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + b"\r\n" + data[:stop])


def test_bytes_that_are_there_already_may_be_sent_again(bucket: Any, endpoint: str) -> None:
    url = start(endpoint, bucket, "overlap")
    send(url, *part(0, 2 * QUANTUM, "*"))
    assert send(url, *part(0, QUANTUM, "*")).headers["range"] == f"bytes=0-{2 * QUANTUM - 1}"
    assert send(url, *part(QUANTUM, len(DATA), len(DATA))).status_code == 200
    assert bucket.blob("overlap").download_as_bytes(retry=None) == DATA


def test_an_answer_that_was_lost_can_be_asked_for_again(bucket: Any, endpoint: str) -> None:
    url = start(endpoint, bucket, "lost")
    answers = [send(url, *part(0, len(DATA), len(DATA))), send(url, b"", f"bytes */{len(DATA)}")]
    assert len({answer.json()["generation"] for answer in answers}) == 1


def test_a_cancelled_upload_is_gone(bucket: Any, endpoint: str) -> None:
    url = start(endpoint, bucket, "cancelled")
    send(url, *part(0, QUANTUM, "*"))
    assert httpx2.delete(url, trust_env=False).status_code == 499
    assert send(url, *part(QUANTUM, len(DATA), len(DATA))).status_code == 404
    assert not bucket.blob("cancelled").exists(retry=None)


@pytest.mark.parametrize(
    ("data", "content_range"),
    [
        part(QUANTUM, 2 * QUANTUM, "*"),
        part(0, 1000, "*"),
        (b"x", "bytes 0-9/5"),
        (b"x", "bytes nonsense"),
        (b"x" * QUANTUM, f"bytes 0-{2 * QUANTUM - 1}/*"),
    ],
    ids=["a gap", "a small chunk", "beyond the total", "nonsense", "less than announced"],
)
def test_a_chunk_that_does_not_fit_is_refused(
    bucket: Any, endpoint: str, data: bytes, content_range: str
) -> None:
    url = start(endpoint, bucket, "misfit")
    assert send(url, data, content_range).status_code == 400
    assert not bucket.blob("misfit").exists(retry=None)


def test_the_conditions_of_a_resumable_upload_hold_at_its_end(bucket: Any, endpoint: str) -> None:
    """Somebody else was first meanwhile; the upload is refused then, and stays refused."""
    url = start(endpoint, bucket, "raced", ifGenerationMatch=0)
    bucket.blob("raced").upload_from_string("first", retry=None)
    for _ in range(2):
        assert send(url, *part(0, len(DATA), len(DATA))).status_code == 412
    assert bucket.blob("raced").download_as_bytes(retry=None) == b"first"


@pytest.mark.parametrize("checksum", ["md5", "crc32c", None])
def test_the_client_verifies_what_was_stored(bucket: Any, checksum: str | None) -> None:
    """In one request, and in a resumable upload."""
    bucket.blob("simple").upload_from_string(DATA, checksum=checksum, retry=None)
    blob = bucket.blob("resumable", chunk_size=QUANTUM)
    blob.upload_from_file(io.BytesIO(DATA), checksum=checksum, retry=None)
    for name in ("simple", "resumable"):
        found = bucket.get_blob(name, retry=None)
        assert found.crc32c == crc32c(DATA)
        assert found.md5_hash == b64encode(md5(DATA).digest()).decode()
        assert found.download_as_bytes(checksum=checksum or "crc32c", retry=None) == DATA


WRONG = crc32c(b"something else")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Goog-Hash": f"crc32c={WRONG}"},
        {"X-Goog-Hash": f"crc32c={crc32c(DATA)},md5={WRONG}"},
        {"Content-MD5": b64encode(md5(b"else").digest()).decode()},
    ],
    ids=["crc32c", "md5", "Content-MD5"],
)
def test_a_wrong_checksum_stores_nothing(bucket: Any, endpoint: str, headers: dict[str, str]) -> None:
    """In a simple upload, and at the end of a resumable one."""
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=wrong"
    assert httpx2.post(url, content=DATA, headers=headers, trust_env=False).status_code == 400
    resumable = start(endpoint, bucket, "wrong")
    assert send(resumable, *part(0, len(DATA), len(DATA)), **headers).status_code == 400
    assert list(bucket.list_blobs(retry=None)) == []


def test_a_wrong_checksum_in_the_metadata_stores_nothing(bucket: Any) -> None:
    blob = bucket.blob("wrong")
    blob.crc32c = WRONG
    with pytest.raises((storage_exceptions.InvalidResponse, Exception), match="400"):
        blob.upload_from_file(io.BytesIO(DATA), checksum=None, retry=None)
    assert not blob.exists(retry=None)


def multipart(bucket: Any, endpoint: str, body: bytes, boundary: str = "line") -> httpx2.Response:
    return httpx2.post(
        f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart",
        content=body,
        headers={"Content-Type": f'multipart/related; boundary="{boundary}"'},
        trust_env=False,
    )


def parts(resource: object, content: bytes, end: bytes = b"\r\n--line--\r\n") -> bytes:
    head = b"--line\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n" + json.dumps(resource).encode()
    return head + b"\r\n--line\r\nContent-Type: text/x-test\r\n\r\n" + content + end


def test_a_multipart_content_may_hold_anything_but_its_boundary(bucket: Any, endpoint: str) -> None:
    """Line ends, dashes and pieces of the boundary, wherever the packets are cut."""
    content = b"\r\n--lin\r\n--lin e\r\n--" * 30_000 + b"\r\n"
    assert multipart(bucket, endpoint, parts({"name": "tricky"}, content)).status_code == 200
    found = bucket.get_blob("tricky", retry=None)
    assert found.download_as_bytes(retry=None) == content
    assert found.content_type == "text/x-test"


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_a_multipart_body_is_read_however_it_is_cut(size: int) -> None:
    """Boundaries that lie across packets are found, and nothing else is taken for one."""
    content = b"\r\n--lin\r\n--line-\r--\n" * 10
    body = parts({"name": "cut"}, content.replace(b"--line-", b"--lime-"))

    async def read() -> tuple[dict[str, Any], bytes]:
        pieces = (body[at : at + size] for at in range(0, len(body), size))
        found = await read_parts("multipart/related; boundary=line", each(pieces))
        return found.resource, b"".join([data async for data in found.content])

    assert asyncio.run(read()) == ({"name": "cut"}, content.replace(b"--line-", b"--lime-"))


async def each(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        parts({"name": "cut"}, b"content", end=b""),
        parts(["no", "object"], b"content"),
        parts({}, b"content"),
        parts({"name": 7}, b"content"),
    ],
)
def test_a_malformed_multipart_body_is_refused(bucket: Any, endpoint: str, body: bytes) -> None:
    assert multipart(bucket, endpoint, body).status_code == 400
    assert list(bucket.list_blobs(retry=None)) == []


def test_what_it_cannot_do_is_501_and_nothing_is_5xx_that_clients_repeat(bucket: Any, endpoint: str) -> None:
    base = f"{endpoint}/storage/v1/b/{bucket.name}"
    asked = [
        httpx2.get(f"{base}/notificationConfigs", trust_env=False),
        httpx2.get(f"{base}/anywhereCaches", trust_env=False),
        httpx2.get(f"{base}/o/x/acl", trust_env=False),
        httpx2.get(f"{base}/o/x", headers={"x-goog-encryption-key": "k"}, trust_env=False),
        httpx2.post(
            f"{endpoint}/upload{base.removeprefix(endpoint)}/o?uploadType=media&name=x&predefinedAcl=publicRead",
            trust_env=False,
        ),
    ]
    assert [answer.status_code for answer in asked] == [501] * 5
    bad = [
        httpx2.post(f"{base}/o/x/compose", content=b"{", trust_env=False),
        httpx2.patch(f"{base}/o/%FF", content=b"{}", trust_env=False),
        httpx2.post(f"{endpoint}/storage/v1/b", content=b'{"name": "UPPER"}', trust_env=False),
        httpx2.post(
            f"{endpoint}/upload{base.removeprefix(endpoint)}/o?uploadType=odd&name=x", trust_env=False
        ),
    ]
    assert [answer.status_code for answer in bad] == [400] * 4
    assert all(answer.json()["error"]["message"] for answer in asked + bad)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/o/x", b'{"a":' * 5000),
        ("PATCH", "/o/x", b'{"metadata": 7}'),
        ("PATCH", "/o/x", b'{"metadata": {"a": 7}}'),
        ("PATCH", "/o/x", b'{"contentType": 7}'),
        ("PATCH", "", b'{"versioning": 7}'),
        ("PATCH", "", b'{"labels": 7}'),
        ("PATCH", "", b'{"softDeletePolicy": {"retentionDurationSeconds": "x"}}'),
        ("POST", "/o/x/compose", b'{"sourceObjects": [7]}'),
        ("POST", "/o/x/compose", b'{"sourceObjects": [{"name": ["x"]}]}'),
        ("POST", "/o/x/compose", b'{"sourceObjects": [{"name": "x", "generation": "y"}]}'),
        ("POST", "/o/x/compose", b'{"sourceObjects": [{"name": "x"}], "destination": []}'),
        ("POST", "/o/x/rewriteTo/b/x/o/y", b"[]"),
    ],
)
def test_a_body_of_the_wrong_shape_is_a_bad_request(
    bucket: Any, endpoint: str, method: str, path: str, body: bytes
) -> None:
    bucket.blob("x").upload_from_string("x", retry=None)
    url = f"{endpoint}/storage/v1/b/{bucket.name}{path}"
    assert httpx2.request(method, url, content=body, trust_env=False).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [{"Host": "rebound.example"}, {"Origin": "https://page.example"}, {"Origin": "null"}],
    ids=["rebound", "foreign", "sandboxed"],
)
def test_a_foreign_web_page_is_refused(bucket: Any, endpoint: str, headers: dict[str, str]) -> None:
    """It can post to loopback without asking; nothing of it is stored."""
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=evil"
    assert httpx2.post(url, content=b"x", headers=headers, trust_env=False).status_code == 403
    assert list(bucket.list_blobs(retry=None)) == []


def test_who_types_the_address_may_look(bucket: Any, endpoint: str) -> None:
    """A browser says that no page asked."""
    headers = {"Sec-Fetch-Site": "none"}
    url = f"{endpoint}/storage/v1/b/{bucket.name}"
    assert httpx2.get(url, headers=headers, trust_env=False).status_code == 200
