"""How objects come in: single requests, multipart, resumable."""

import base64
import hashlib
import os
from typing import Any

import google_crc32c
import pytest
import requests
from google.api_core import exceptions

from tests.conformance.check import check

QUANTUM = 256 * 1024
DATA = os.urandom(2 * QUANTUM + 1000)
WEEK = 7 * 24 * 3600
RESUMABLE = "storage/docs/performing-resumable-uploads"
CONCEPT = "storage/docs/resumable-uploads"
VALIDATION = "storage/docs/data-validation"
INSERT = "storage/docs/json_api/v1/objects/insert"
STATUS = "storage/docs/json_api/v1/status-codes"


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


def start(bucket: Any, name: str, **options: Any) -> str:
    return str(bucket.blob(name).create_resumable_upload_session(**options))


def put(session: str, data: bytes, content_range: str, **headers: str) -> requests.Response:
    """A request of a resumable upload; its address is all the right that it needs."""
    return requests.put(session, data=data, headers={"Content-Range": content_range, **headers}, timeout=60)


def rest(first: int, total: object = len(DATA)) -> tuple[bytes, str]:
    return DATA[first:], f"bytes {first}-{len(DATA) - 1}/{total}"


@check("GCS-200", source=RESUMABLE)
def test_the_start_answers_200_with_the_session_in_location(
    bucket: Any, endpoint: str, http: requests.Session, name: str
) -> None:
    """A resumable upload starts with POST uploadType=resumable, which is answered 200 with a Location."""
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o"
    answer = http.post(url, params={"uploadType": "resumable", "name": name}, timeout=60)
    assert answer.status_code == 200
    assert "upload_id=" in answer.headers["Location"]


@check("GCS-201", source=RESUMABLE)
def test_half_way_it_is_308_with_what_is_persisted(bucket: Any, name: str) -> None:
    """A chunk that is not the last is answered 308 with Range: bytes=0-N, N the last persisted byte."""
    answer = put(start(bucket, name), DATA[:QUANTUM], f"bytes 0-{QUANTUM - 1}/*")
    assert (answer.status_code, answer.headers["Range"]) == (308, f"bytes=0-{QUANTUM - 1}")
    assert not bucket.blob(name).exists(retry=None)


@check("GCS-202", source=RESUMABLE)
def test_a_status_query_before_any_byte_has_no_range(bucket: Any, name: str) -> None:
    """An empty PUT with Content-Range: bytes */* asks how far it is; no Range header means nothing is persisted."""
    answer = put(start(bucket, name), b"", "bytes */*")
    assert answer.status_code == 308
    assert "Range" not in answer.headers


@check("GCS-203", source=RESUMABLE)
def test_it_goes_on_where_the_status_says(bucket: Any, name: str) -> None:
    """An upload that was cut goes on with the byte after the Range of the status query."""
    session = start(bucket, name)
    put(session, DATA[:QUANTUM], f"bytes 0-{QUANTUM - 1}/*")
    found = put(session, b"", f"bytes */{len(DATA)}").headers["Range"]
    first = int(found.removeprefix("bytes=0-")) + 1
    assert put(session, *rest(first)).status_code == 200
    assert bucket.blob(name).download_as_bytes() == DATA


@check("GCS-204", source=RESUMABLE)
def test_the_last_chunk_tells_an_unknown_total(bucket: Any, name: str) -> None:
    """The total may be * until the last chunk, which gives it and is answered 200 with the object's resource."""
    session = start(bucket, name)
    put(session, DATA[:QUANTUM], f"bytes 0-{QUANTUM - 1}/*")
    done = put(session, *rest(QUANTUM))
    assert done.status_code == 200
    assert done.json()["size"] == str(len(DATA))


@check("GCS-205", source=RESUMABLE)
def test_a_status_query_after_the_end_gives_the_object(bucket: Any, name: str) -> None:
    """A status query of a complete upload is answered 200 with the object that was made."""
    session = start(bucket, name)
    done = put(session, *rest(0)).json()
    again = put(session, b"", f"bytes */{len(DATA)}")
    assert again.status_code == 200
    assert again.json()["generation"] == done["generation"]


@check("GCS-206", source=RESUMABLE)
def test_a_cancelled_upload_is_499(bucket: Any, name: str) -> None:
    """DELETE of the session is answered 499; to go on with it fails with a 4xx."""
    session = start(bucket, name)
    assert requests.delete(session, headers={"Content-Length": "0"}, timeout=60).status_code == 499
    after = put(session, *rest(0)).status_code
    assert 400 <= after < 500
    assert not bucket.blob(name).exists(retry=None)


@check("GCS-207", source=f"{RESUMABLE}: a single PUT without Content-Range")
def test_everything_may_come_in_one_request(bucket: Any, name: str) -> None:
    """A session may be given all bytes by one PUT without a Content-Range."""
    answer = requests.put(start(bucket, name), data=DATA, timeout=60)
    assert answer.status_code == 200
    assert bucket.blob(name).download_as_bytes() == DATA


@check("GCS-208", source=f"{RESUMABLE}: chunks but the last are multiples of 256 KiB", assumed=True)
def test_a_small_chunk_that_is_not_the_last_is_refused(bucket: Any, name: str) -> None:
    """A chunk of less than 256 KiB that is not the last one is answered 400, or persists nothing."""
    answer = put(start(bucket, name), DATA[:1000], "bytes 0-999/*")
    assert answer.status_code == 400 or "Range" not in answer.headers


@check("GCS-209", source=f"{RESUMABLE}: only whole multiples of 256 KiB are persisted", assumed=True)
def test_what_is_beyond_a_multiple_is_sent_again(bucket: Any, name: str) -> None:
    """Of a chunk that is no multiple of 256 KiB the surplus is not persisted, as Range says."""
    answer = put(start(bucket, name), DATA[: QUANTUM + 1000], f"bytes 0-{QUANTUM + 999}/*")
    assert (answer.status_code, answer.headers["Range"]) == (308, f"bytes=0-{QUANTUM - 1}")


@check("GCS-210", source=f"{INSERT}: ifGenerationMatch")
def test_conditions_of_a_resumable_upload_hold_at_its_end(bucket: Any, name: str) -> None:
    """A resumable upload with ifGenerationMatch=0 is answered 412 when the object was made meanwhile."""
    session = start(bucket, name, if_generation_match=0)
    bucket.blob(name).upload_from_string("first")
    assert put(session, *rest(0)).status_code == 412
    assert bucket.blob(name).download_as_bytes() == b"first"


@check("GCS-211", source="the client's Blob.upload_from_file, chunk_size")
def test_the_client_uploads_in_chunks(bucket: Any, name: str, tmp_path: Any) -> None:
    """The stock client uploads a file in chunks of 256 KiB, of a known and of an unknown size."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    blob = bucket.blob(name, chunk_size=QUANTUM)
    blob.upload_from_filename(str(path), retry=None)
    with blob.open("wb", chunk_size=QUANTUM, retry=None) as file:
        file.write(DATA + DATA)
    assert bucket.blob(name).download_as_bytes() == DATA + DATA


@check("GCS-212", source=VALIDATION)
@pytest.mark.parametrize("kind", ["crc32c", "md5"])
def test_a_wrong_hash_in_the_metadata_is_400(bucket: Any, name: str, kind: str) -> None:
    """An upload whose resource has a crc32c or md5Hash that its bytes do not have is refused with 400."""
    blob = bucket.blob(name)
    if kind == "crc32c":
        blob.crc32c = crc32c(b"else")
    else:
        blob.md5_hash = base64.b64encode(hashlib.md5(b"else").digest()).decode()
    with pytest.raises(exceptions.BadRequest):
        blob.upload_from_string(DATA, checksum=None, retry=None)
    assert not bucket.blob(name).exists(retry=None)


@check("GCS-213", source=f"{VALIDATION}: x-goog-hash in the request that completes an upload", assumed=True)
def test_a_wrong_hash_at_the_end_of_a_resumable_upload_is_400(bucket: Any, name: str) -> None:
    """An X-Goog-Hash of the last request that does not fit the whole is answered 400, and stores nothing."""
    wrong = f"crc32c={crc32c(b'else')}"
    assert put(start(bucket, name), *rest(0), **{"X-Goog-Hash": wrong}).status_code == 400
    assert not bucket.blob(name).exists(retry=None)


@check("GCS-214", source=f"{INSERT}: uploadType=media")
def test_a_simple_upload_is_typed_by_its_header(
    bucket: Any, endpoint: str, http: requests.Session, name: str
) -> None:
    """uploadType=media stores the body under ?name= with the Content-Type of the request."""
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o"
    asked = {"uploadType": "media", "name": name}
    answer = http.post(url, params=asked, data=DATA, headers={"Content-Type": "text/x-y"}, timeout=60)
    assert answer.json()["contentType"] == "text/x-y"
    assert answer.json()["md5Hash"] == base64.b64encode(hashlib.md5(DATA).digest()).decode()


@check("GCS-215", source=f"{INSERT}: uploadType=multipart")
def test_a_multipart_upload_brings_its_metadata(bucket: Any, name: str) -> None:
    """A multipart upload stores metadata and bytes in one request."""
    blob = bucket.blob(name)
    blob.metadata, blob.cache_control = {"a": "b"}, "no-store"
    blob.upload_from_string(DATA, content_type="text/x-y", retry=None)
    found = bucket.get_blob(name)
    assert (found.metadata, found.cache_control, found.content_type) == ({"a": "b"}, "no-store", "text/x-y")


@check("GCS-216", source=f"{INSERT}: X-Upload-Content-Type, X-Upload-Content-Length")
def test_the_type_and_the_length_may_be_announced(
    bucket: Any, endpoint: str, http: requests.Session, name: str
) -> None:
    """X-Upload-Content-Type becomes the type of the object."""
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o"
    headers = {"X-Upload-Content-Type": "text/x-y", "X-Upload-Content-Length": str(len(DATA))}
    asked = {"uploadType": "resumable", "name": name}
    session = http.post(url, params=asked, headers=headers, timeout=60).headers["Location"]
    assert put(session, *rest(0)).json()["contentType"] == "text/x-y"


@check("GCS-217", source=STATUS)
def test_an_unknown_session_is_4xx(bucket: Any, name: str) -> None:
    """To go on with an upload that never was is answered 4xx, so that the client starts anew."""
    session = start(bucket, name)
    head, _, _ = session.partition("upload_id=")
    assert put(f"{head}upload_id=never-given", *rest(0)).status_code in (400, 404, 410)


@check("GCS-218", source=f"{CONCEPT}: a session URI expires after one week")
@pytest.mark.emulator_only
def test_a_session_ends_after_a_week(own_emulator: Any, name: str) -> None:
    """A session can be used for a week, and is then answered 404 or 410."""
    session = start(own_emulator.bucket, name)
    own_emulator.advance(WEEK - 60)
    assert put(session, b"", "bytes */*").status_code == 308
    own_emulator.advance(120)
    assert put(session, b"", "bytes */*").status_code in (404, 410)


@check("GCS-219", source="the client's retry.DEFAULT_RETRY; storage/docs/retry-strategy")
@pytest.mark.emulator_only
def test_the_client_retries_what_failed_for_a_moment(own_emulator: Any, name: str) -> None:
    """503 and 429 are tried again by the stock client, and the object is stored once."""
    for code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED"):
        own_emulator.fault(name=code, effect="error", code=code, method="storage.objects.insert", times=1)
    blob = own_emulator.bucket.blob(name)
    blob.upload_from_string("x", if_generation_match=0)
    assert blob.download_as_bytes() == b"x"


@check("GCS-220", source=f"{STATUS}: 412 conditionNotMet; storage/docs/retry-strategy")
@pytest.mark.emulator_only
def test_a_lost_answer_shows_as_412_at_the_retry(own_emulator: Any, name: str) -> None:
    """An upload that took effect but was not answered is refused with 412 when it is repeated as a create."""
    own_emulator.fault(name="lost", effect="drop", method="storage.objects.insert", when="after", times=1)
    blob = own_emulator.bucket.blob(name)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string("mine", if_generation_match=0)
    assert blob.download_as_bytes() == b"mine"
