"""How objects go out: whole, in ranges, unpacked, and not at all when the reader has them."""

import base64
import gzip
import hashlib
import os
from typing import Any

import google_crc32c
import pytest
import requests
from google.api_core import exceptions

from tests.conformance.check import check

DATA = os.urandom(50_000)
GET = "storage/docs/json_api/v1/objects/get"
XML = "storage/docs/xml-api/reference-headers"
STATUS = "storage/docs/json_api/v1/status-codes"
TRANSCODING = "storage/docs/transcoding"
TEXT = b"to be packed " * 5000
PACKED = gzip.compress(TEXT)


@pytest.fixture(scope="session")
def stored(bucket: Any) -> Any:
    """An object that the checks of this module read."""
    blob = bucket.blob("downloads/stored")
    blob.upload_from_string(DATA, content_type="application/x-test")
    return blob


@pytest.fixture(scope="session")
def packed(bucket: Any) -> Any:
    """An object that is stored compressed."""
    blob = bucket.blob("downloads/packed")
    blob.content_encoding = "gzip"
    blob.upload_from_string(PACKED, content_type="text/plain")
    return blob


def get(
    http: requests.Session, endpoint: str, blob: Any, query: str = "", **headers: str
) -> requests.Response:
    name = blob.name.replace("/", "%2F")
    url = f"{endpoint}/storage/v1/b/{blob.bucket.name}/o/{name}?alt=media{query}"
    return http.get(url, headers={"Accept-Encoding": "identity", **headers}, timeout=60)


@check("GCS-230", source=f"{GET}: alt=media")
def test_alt_media_gives_the_bytes(http: requests.Session, endpoint: str, stored: Any) -> None:
    """GET of an object with alt=media gives its bytes and its type."""
    answer = get(http, endpoint, stored)
    assert answer.content == DATA
    assert answer.headers["Content-Type"] == "application/x-test"


@check("GCS-231", source=XML)
def test_a_download_names_generation_and_hashes(http: requests.Session, endpoint: str, stored: Any) -> None:
    """A download carries x-goog-generation, x-goog-metageneration and x-goog-hash with crc32c and md5."""
    headers = get(http, endpoint, stored).headers
    assert headers["x-goog-generation"] == str(stored.generation)
    assert headers["x-goog-metageneration"] == "1"
    crc = base64.b64encode(google_crc32c.Checksum(DATA).digest()).decode()
    md5 = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    assert {part.strip() for part in headers["x-goog-hash"].split(",")} == {f"crc32c={crc}", f"md5={md5}"}


@check("GCS-232", source=f"{GET}: Range")
def test_a_range_is_206(http: requests.Session, endpoint: str, stored: Any) -> None:
    """Range: bytes=A-B is answered 206 with Content-Range, both ends included."""
    answer = get(http, endpoint, stored, Range="bytes=100-199")
    assert (answer.status_code, answer.content) == (206, DATA[100:200])
    assert answer.headers["Content-Range"] == f"bytes 100-199/{len(DATA)}"


@check("GCS-233", source=f"{GET}: Range; RFC 9110 section 14.1.2")
def test_the_end_of_a_range_may_be_left_out_or_beyond(
    http: requests.Session, endpoint: str, stored: Any
) -> None:
    """A range without an end, or with one beyond the object, goes to the object's last byte."""
    for asked in ("bytes=49000-", "bytes=49000-999999"):
        answer = get(http, endpoint, stored, Range=asked)
        assert (answer.status_code, answer.content) == (206, DATA[49000:])


@check("GCS-234", source=f"{GET}: Range; RFC 9110 section 14.1.2")
def test_a_suffix_range_gives_the_last_bytes(http: requests.Session, endpoint: str, stored: Any) -> None:
    """Range: bytes=-N gives the last N bytes, or all when there are fewer."""
    assert get(http, endpoint, stored, Range="bytes=-10").content == DATA[-10:]
    assert get(http, endpoint, stored, Range="bytes=-999999").content == DATA


@check("GCS-235", source=f"{STATUS}: 416 requestedRangeNotSatisfiable")
def test_a_range_beyond_the_object_is_416(http: requests.Session, endpoint: str, stored: Any) -> None:
    """A range that begins after the last byte is answered 416."""
    assert get(http, endpoint, stored, Range=f"bytes={len(DATA)}-").status_code == 416
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        stored.download_as_bytes(start=len(DATA), retry=None)


@check("GCS-236", source="the client's Blob.download_as_bytes, start and end")
def test_the_client_reads_ranges(stored: Any) -> None:
    """The stock client reads a range by start and end, the last byte included, and seeks in an open file."""
    assert stored.download_as_bytes(start=10, end=19) == DATA[10:20]
    with stored.open("rb") as file:
        file.seek(40_000)
        assert file.read(10) == DATA[40_000:40_010]


@check("GCS-237", source=f"{GET}: generation")
def test_a_replaced_generation_is_404(http: requests.Session, endpoint: str, bucket: Any, name: str) -> None:
    """A generation that is no longer there is answered 404, where the bucket has no versioning."""
    blob = bucket.blob(name)
    blob.upload_from_string("old")
    old = blob.generation
    blob.upload_from_string("new")
    assert get(http, endpoint, blob, f"&generation={old}").status_code == 404
    assert get(http, endpoint, blob, f"&generation={blob.generation}").content == b"new"


@check("GCS-238", source=f"{GET}: ifGenerationNotMatch; {STATUS}: 304")
def test_who_has_it_is_told_304(http: requests.Session, endpoint: str, stored: Any) -> None:
    """A GET with ifGenerationNotMatch of the current generation is answered 304 without a body."""
    answer = get(http, endpoint, stored, f"&ifGenerationNotMatch={stored.generation}")
    assert (answer.status_code, answer.content) == (304, b"")


@check("GCS-239", source=f"{GET}: ifGenerationMatch; {STATUS}: 412")
def test_who_wants_another_is_told_412(http: requests.Session, endpoint: str, stored: Any) -> None:
    """A GET with ifGenerationMatch of another generation is answered 412."""
    assert get(http, endpoint, stored, "&ifGenerationMatch=1").status_code == 412


@check("GCS-240", source="storage/docs/json_api/v1/parameters: If-Match, If-None-Match")
def test_etags_are_conditions(http: requests.Session, endpoint: str, stored: Any) -> None:
    """If-None-Match with the current ETag is answered 304; If-Match with another one 412."""
    etag = get(http, endpoint, stored).headers["ETag"]
    assert get(http, endpoint, stored, **{"If-None-Match": etag}).status_code == 304
    assert get(http, endpoint, stored, **{"If-Match": '"another"'}).status_code == 412
    assert get(http, endpoint, stored, **{"If-Match": etag}).status_code == 200


@check("GCS-241", source=TRANSCODING)
def test_gzip_is_unpacked_for_who_cannot(http: requests.Session, endpoint: str, packed: Any) -> None:
    """An object stored with Content-Encoding: gzip is unpacked for a client that does not accept gzip."""
    answer = get(http, endpoint, packed)
    assert answer.content == TEXT
    assert "Content-Encoding" not in answer.headers


@check("GCS-242", source=TRANSCODING)
def test_gzip_is_left_for_who_can(http: requests.Session, endpoint: str, packed: Any) -> None:
    """With Accept-Encoding: gzip the stored bytes are sent, and said to be gzip."""
    answer = get(http, endpoint, packed, **{"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["x-goog-stored-content-encoding"] == "gzip"
    assert answer.content == TEXT


@check("GCS-243", source=f"{TRANSCODING}: range requests are ignored for transcoded objects")
def test_a_range_of_what_is_unpacked_is_all_of_it(http: requests.Session, endpoint: str, packed: Any) -> None:
    """A Range of an object that is unpacked on the way is silently ignored."""
    answer = get(http, endpoint, packed, Range="bytes=0-9")
    assert answer.content == TEXT


@check("GCS-244", source="the client's Blob.download_as_bytes, raw_download")
def test_the_client_takes_either(packed: Any) -> None:
    """The stock client gives the text, or with raw_download the bytes that are stored."""
    assert packed.download_as_bytes() == TEXT
    assert packed.download_as_bytes(raw_download=True) == PACKED


@check("GCS-245", source="storage/docs/json_api/v1/objects: mediaLink")
def test_the_media_link_can_be_downloaded(http: requests.Session, bucket: Any, stored: Any) -> None:
    """mediaLink is an absolute address from which the bytes of this generation can be had."""
    link = bucket.get_blob(stored.name).media_link
    assert link.startswith("http")
    assert str(stored.generation) in link
    assert http.get(link, timeout=60).content == DATA


@check("GCS-246", source=f"{STATUS}: 404 notFound")
def test_what_is_not_there_is_404(http: requests.Session, endpoint: str, bucket: Any, name: str) -> None:
    """A download of what does not exist is answered 404."""
    assert get(http, endpoint, bucket.blob(name)).status_code == 404
    with pytest.raises(exceptions.NotFound):
        bucket.blob(name).download_as_bytes(retry=None)


@check("GCS-247", source="the client's Blob.download_as_bytes, checksum")
def test_the_client_checks_what_it_reads(stored: Any) -> None:
    """The stock client verifies a download by crc32c and by md5."""
    for kind in ("crc32c", "md5"):
        assert stored.download_as_bytes(checksum=kind) == DATA


@check("GCS-248", source="the client's transfer_manager.download_chunks_concurrently")
def test_the_client_reads_in_concurrent_chunks(stored: Any, tmp_path: Any) -> None:
    """The stock transfer manager reads an object in concurrent ranges and finds its checksum right."""
    from google.cloud.storage import transfer_manager  # noqa: PLC0415 - needed here alone

    path = tmp_path / "file"
    transfer_manager.download_chunks_concurrently(
        stored, str(path), chunk_size=10_000, worker_type=transfer_manager.THREAD
    )
    assert path.read_bytes() == DATA


@check("GCS-249", source=f"{GET}; the client's retrying media download")
@pytest.mark.emulator_only
def test_a_broken_download_goes_on(own_emulator: Any, name: str) -> None:
    """A download whose connection breaks is completed by the stock client."""
    blob = own_emulator.bucket.blob(name)
    blob.upload_from_string(DATA)
    own_emulator.fault(name="cut", effect="drop", method="storage.objects.get", when="after", times=1)
    assert blob.download_as_bytes() == DATA
