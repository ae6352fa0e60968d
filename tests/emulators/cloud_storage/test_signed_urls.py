"""Signed URLs, made by the stock client with signatures of signBlob, are verified for real."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import requests
from google.cloud import storage

BUCKET = "dormouse-backups"
SOON = timedelta(minutes=5)
Sign = Callable[..., str]


@pytest.fixture(scope="module")
def signed_port(free_port: Callable[[], int]) -> int:
    """Where the same emulator serves signed URLs and nothing else."""
    return free_port()


@pytest.fixture(scope="module")
def verified(
    processes: Any,
    free_port: Callable[[], int],
    signed_port: int,
    accounts: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """An emulator that verifies by the identity emulator's keys, and honours one signer."""
    port, state = free_port(), str(tmp_path_factory.mktemp("signed"))
    flags = ["--state", state, "--project", "demo-dormouse", "--keys-base", accounts.url, "--bucket", BUCKET]
    flags += ["--signer", accounts.signer.signer_email, "--signed-port", str(signed_port)]
    processes.start("emulators.cloud_storage", port, *flags)
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def backups(verified: str, connect: Callable[[str], storage.Client]) -> storage.Bucket:
    """The bucket that exists from the start."""
    return connect(verified).get_bucket(BUCKET, retry=None)


@pytest.fixture(scope="module")
def sign(backups: storage.Bucket, verified: str, accounts: Any) -> Sign:
    """Signs a URL for a method on an object, as the product does."""

    def make(method: str, name: str, **options: Any) -> str:
        options = {"expiration": SOON, "credentials": accounts.signer} | options
        url = backups.blob(name).generate_signed_url(
            version="v4", method=method, api_access_endpoint=verified, **options
        )
        return str(url)

    return make


def call(method: str, url: str, content: bytes | None = None, **headers: str) -> httpx2.Response:
    return httpx2.request(method, url, content=content, headers=headers, trust_env=False)


def test_the_second_port_serves_signed_urls_and_nothing_else(
    sign: Sign, verified: str, signed_port: int
) -> None:
    guarded = f"http://127.0.0.1:{signed_port}"
    host = verified.removeprefix("http://")
    put = call("PUT", sign("PUT", "through-a-door").replace(verified, guarded), b"saved", Host=host)
    assert put.status_code == 200
    for method, path in (
        ("GET", f"/storage/v1/b/{BUCKET}/o"),
        ("GET", f"/download/storage/v1/b/{BUCKET}/o/through-a-door?alt=media"),
        ("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=x"),
        ("POST", "/storage/v1/b"),
        ("DELETE", f"/storage/v1/b/{BUCKET}/o/through-a-door"),
        ("GET", f"/{BUCKET}/through-a-door"),
        ("POST", f"/{BUCKET}/x?uploads"),
        ("GET", "/emulator/v1/clock"),
        ("POST", "/emulator/v1/faults"),
    ):
        assert call(method, guarded + path, b"{}" if method == "POST" else None).status_code == 403
    assert call("GET", sign("GET", "through-a-door")).content == b"saved"


def code(answer: httpx2.Response) -> str:
    """The code of an XML error."""
    found = re.search("<Code>(.*?)</Code>", answer.text)
    return found[1] if found else ""


@pytest.mark.parametrize("name", ["plain", "a/b c/☃ %2F+~!*'()", "x?y#z&a=b"])
def test_an_object_lives_by_signed_urls_alone(sign: Sign, backups: Any, name: str) -> None:
    data = os.urandom(400_000)
    put = call("PUT", sign("PUT", name), data)
    assert put.status_code == 200
    assert int(put.headers["x-goog-generation"]) > 0
    assert put.headers["etag"]
    got = call("GET", sign("GET", name))
    assert got.content == data
    assert got.headers["x-goog-hash"] == put.headers["x-goog-hash"]
    head = call("HEAD", sign("HEAD", name))
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(data)), b"")
    part = call("GET", sign("GET", name), Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, data[10:20])
    assert backups.get_blob(name, retry=None).size == len(data)
    assert call("DELETE", sign("DELETE", name)).status_code == 204
    assert call("GET", sign("GET", name)).status_code == 404


def test_a_url_is_for_one_method(sign: Sign, backups: Any) -> None:
    """A URL to read neither writes nor deletes; one to write does not read."""
    backups.blob("method").upload_from_string("kept", retry=None)
    for signed, used in [
        ("GET", "PUT"),
        ("GET", "DELETE"),
        ("GET", "HEAD"),
        ("PUT", "GET"),
        ("PUT", "DELETE"),
    ]:
        answer = call(used, sign(signed, "method"), b"evil" if used == "PUT" else None)
        assert answer.status_code == 403
        assert used == "HEAD" or code(answer) == "SignatureDoesNotMatch"
    assert backups.blob("method").download_as_bytes(retry=None) == b"kept"


def test_a_url_that_was_tampered_with_is_refused(sign: Sign, backups: Any) -> None:
    """Every part of it is signed: path, expiry, date, signer, further parameters, the signature itself."""
    for name in ("mine", "other"):
        backups.blob(name).upload_from_string(name, retry=None)
    url = sign("GET", "mine")
    changes = [
        ("/mine?", "/other?"),
        ("/mine?", "/mine/?"),
        (f"/{BUCKET}/", "/another-bucket/"),
        ("X-Goog-Expires=300", "X-Goog-Expires=301"),
        ("dormouse-api%40", "dormouse-runtime%40"),
        ("/mine?", "/mine?generation=1&"),
        ("X-Goog-SignedHeaders=host", "X-Goog-SignedHeaders=host%3Brange"),
    ]
    assert call("GET", url).status_code == 200
    for old, new in changes:
        assert old in url
        answer = call("GET", url.replace(old, new))
        assert answer.status_code == 403, new
    last = url[-1]
    for signature in (url[:-1] + ("0" if last != "0" else "1"), re.sub("Signature=.*", "Signature=", url)):
        answer = call("GET", signature)
        assert (answer.status_code, code(answer)) == (403, "SignatureDoesNotMatch")
    assert answer.headers["content-type"].startswith("application/xml")


def test_a_url_ends_when_it_expires(sign: Sign, backups: Any, eventually: Any) -> None:
    backups.blob("brief").upload_from_string("x", retry=None)
    url = sign("GET", "brief", expiration=timedelta(seconds=2))
    assert call("GET", url).status_code == 200
    eventually(lambda: call("GET", url).status_code == 400)
    assert code(call("GET", url)) == "ExpiredToken"


def test_only_the_accounts_that_may_are_honoured(sign: Sign, accounts: Any, backups: Any) -> None:
    """Code in a workstation can sign with the runtime account, which has no rights: 403."""
    backups.blob("secret").upload_from_string("x", retry=None)
    answer = call("GET", sign("GET", "secret", credentials=accounts.stranger))
    assert (answer.status_code, code(answer)) == (403, "AccessDenied")


def test_one_account_cannot_sign_for_another(sign: Sign, accounts: Any, backups: Any) -> None:
    """A URL that names the control plane's account, signed with the runtime account's key."""

    class Impostor(type(accounts.stranger)):  # type: ignore[misc]
        @property
        def signer_email(self) -> str:
            return str(accounts.signer.signer_email)

        def sign_bytes(self, message: bytes) -> bytes:
            return bytes(accounts.stranger.sign_bytes(message))

    backups.blob("secret").upload_from_string("x", retry=None)
    answer = call("GET", sign("GET", "secret", credentials=Impostor("", "", "")))
    assert (answer.status_code, code(answer)) == (403, "SignatureDoesNotMatch")


def test_without_a_signature_nobody_is_let_in(verified: str, backups: Any) -> None:
    backups.blob("secret").upload_from_string("x", retry=None)
    for method in ("GET", "PUT", "DELETE", "POST", "HEAD"):
        assert call(method, f"{verified}/{BUCKET}/secret").status_code == 403


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256"),
        ("X-Goog-Expires=300", "X-Goog-Expires=0"),
        ("X-Goog-Expires=300", "X-Goog-Expires=604801"),
        ("X-Goog-Expires=300", "X-Goog-Expires=soon"),
        ("X-Goog-Date=", "X-Goog-Date=9"),
        ("X-Goog-SignedHeaders=host", "X-Goog-SignedHeaders=range"),
        ("X-Goog-Expires=300", "X-Goog-Expires=300&X-Goog-Expires=300"),
        ("storage%2Fgoog4", "compute%2Fgoog4"),
    ],
)
def test_a_malformed_url_is_a_bad_request(sign: Sign, old: str, new: str) -> None:
    url = sign("GET", "x")
    assert old in url
    assert call("GET", url.replace(old, new)).status_code == 400


def test_a_signed_condition_is_honoured_and_cannot_be_left_out(sign: Sign, backups: Any) -> None:
    """Create-only: the second PUT fails, and so does one without the header, or with another value."""
    condition = {"x-goog-if-generation-match": "0"}
    url = sign("PUT", "once", headers=dict(condition))
    assert call("PUT", url, b"x").status_code == 403
    assert call("PUT", url, b"x", **{"x-goog-if-generation-match": "1"}).status_code == 403
    assert call("PUT", url, b"first", **condition).status_code == 200
    again = call("PUT", url, b"second", **condition)
    assert (again.status_code, code(again)) == (412, "PreconditionFailed")
    assert backups.blob("once").download_as_bytes(retry=None) == b"first"


def test_a_header_that_was_not_signed_is_refused(sign: Sign, backups: Any) -> None:
    """The holder of a URL cannot add conditions, metadata or encryption of their own."""
    answer = call("PUT", sign("PUT", "extra"), b"x", **{"x-goog-meta-owner": "me"})
    assert answer.status_code == 403
    assert not backups.blob("extra").exists(retry=None)


@pytest.mark.parametrize(("size", "status"), [(9, 400), (10, 200), (20, 200), (21, 400), (5_000_000, 400)])
def test_a_signed_length_range_is_honoured(sign: Sign, backups: Any, size: int, status: int) -> None:
    name = f"range-{size}"
    limits = {"x-goog-content-length-range": "10,20"}
    answer = call("PUT", sign("PUT", name, headers=dict(limits)), b"x" * size, **limits)
    assert answer.status_code == status
    assert backups.blob(name).exists(retry=None) is (status == 200)


def test_metadata_and_type_can_be_signed_with_a_put(sign: Sign, backups: Any) -> None:
    headers = {"content-type": "application/zstd", "x-goog-meta-epoch": "7"}
    assert call("PUT", sign("PUT", "typed", headers=dict(headers)), b"x", **headers).status_code == 200
    found = backups.get_blob("typed", retry=None)
    assert (found.content_type, found.metadata) == ("application/zstd", {"epoch": "7"})


def test_a_signed_checksum_is_checked(sign: Sign, backups: Any) -> None:
    headers = {"x-goog-hash": "crc32c=AAAAAA=="}
    answer = call("PUT", sign("PUT", "sum", headers=dict(headers)), b"x", **headers)
    assert (answer.status_code, code(answer)) == (400, "BadDigest")
    assert not backups.blob("sum").exists(retry=None)


def test_a_resumable_upload_starts_by_a_signed_url_and_goes_on_by_its_id(sign: Sign, backups: Any) -> None:
    """With the conditions and limits of its start."""
    data = os.urandom(300_000)
    headers = {"x-goog-if-generation-match": "0", "x-goog-content-length-range": "0,400000"}
    url = sign("RESUMABLE", "long/☃ upload", headers=dict(headers))
    assert call("POST", url, b"", **headers).status_code == 403
    started = call("POST", url, b"", **headers, **{"x-goog-resumable": "start"})
    assert started.status_code == 201
    session = started.headers["location"]
    half = call("PUT", session, data[:262_144], **{"Content-Range": "bytes 0-262143/*"})
    assert (half.status_code, half.headers["range"]) == (308, "bytes=0-262143")
    done = call("PUT", session, data[262_144:], **{"Content-Range": "bytes 262144-299999/300000"})
    assert done.status_code == 200
    assert done.headers["x-goog-generation"]
    assert backups.blob("long/☃ upload").download_as_bytes(retry=None) == data
    again = call("POST", url, b"", **headers, **{"x-goog-resumable": "start"})
    assert again.status_code == 412


def test_a_resumable_upload_cannot_outgrow_its_limits(sign: Sign, backups: Any) -> None:
    headers = {"x-goog-content-length-range": "0,300000", "x-goog-resumable": "start"}
    started = call("POST", sign("RESUMABLE", "grown", headers=dict(headers)), b"", **headers)
    session = started.headers["location"]
    answer = call("PUT", session, b"x" * 524_288, **{"Content-Range": "bytes 0-524287/*"})
    assert (answer.status_code, code(answer)) == (400, "EntityTooLarge")
    assert call("PUT", session, b"", **{"Content-Range": "bytes */0"}).status_code == 400
    assert not backups.blob("grown").exists(retry=None)


def test_a_download_can_be_named_by_the_url(sign: Sign, backups: Any) -> None:
    backups.blob("doc").upload_from_string("x", retry=None)
    url = sign("GET", "doc", response_disposition='attachment; filename="a b.txt"', response_type="text/x-y")
    headers = call("GET", url).headers
    assert headers["content-disposition"] == 'attachment; filename="a b.txt"'
    assert headers["content-type"].startswith("text/x-y")


def test_a_path_encoded_in_another_way_is_the_same_path(sign: Sign, backups: Any) -> None:
    """Proxies and clients differ in what they escape; the canonical path does not."""
    backups.blob("a(b)!/c").upload_from_string("x", retry=None)
    url = sign("GET", "a(b)!/c")
    assert quote("a(b)!/c") in url
    assert call("GET", url.replace(quote("a(b)!/c"), "a(b)!%2Fc")).status_code == 200


def test_a_url_of_the_future_is_refused(sign: Sign, backups: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backups.blob("future").upload_from_string("x", retry=None)
    later = datetime.now(UTC) + timedelta(hours=1)
    stamps = (later.strftime("%Y%m%dT%H%M%SZ"), later.strftime("%Y%m%d"))
    monkeypatch.setattr("google.cloud.storage._signing.get_v4_now_dtstamps", lambda: stamps)
    assert call("GET", sign("GET", "future")).status_code == 403


def test_an_emulator_without_keys_says_that_it_cannot_verify(
    endpoint: str, client: storage.Client, accounts: Any
) -> None:
    """And lets nobody in."""
    bucket = client.create_bucket("without-keys", retry=None)
    bucket.blob("x").upload_from_string("x", retry=None)
    url = bucket.blob("x").generate_signed_url(
        SOON, version="v4", credentials=accounts.signer, api_access_endpoint=endpoint
    )
    answer = call("GET", url)
    assert answer.status_code == 501
    assert "--keys-base" in answer.text


@pytest.mark.parametrize("library", ["requests", "httpx2"])
def test_a_large_put_that_is_refused_early_is_told_why(sign: Sign, backups: Any, library: str) -> None:
    """The refusal reaches a client that is still sending, and the connection is not reset under it."""
    backups.blob("taken").upload_from_string("x", retry=None)
    headers = {"x-goog-if-generation-match": "0"}
    url, data = sign("PUT", "taken", headers=dict(headers)), bytes(32 << 20)
    if library == "requests":
        status = requests.put(url, data=data, headers=headers, timeout=30).status_code
    else:
        status = call("PUT", url, data, **headers).status_code
    assert status == 412
    assert backups.blob("taken").download_as_bytes(retry=None) == b"x"
