"""Four ways to let somebody write who has no account: what each permits, and what each refuses.

A backup that its own writer cannot spoil rests on this: `docs/emulators/cloud-storage.md` has the table.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from google.cloud import storage

from tests.emulators.cloud_storage.grants import (
    BOUNDED,
    BUCKET,
    CREATE,
    MOST,
    OTHER,
    SOON,
    Place,
    post,
    send,
    start,
    upload,
)


@pytest.fixture(scope="module")
def place(
    processes: Any,
    free_port: Callable[[], int],
    connect: Callable[[str], storage.Client],
    accounts: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    port, state = free_port(), str(tmp_path_factory.mktemp("grants"))
    flags = ["--state", state, "--project", "demo-dormouse", "--keys-base", accounts.url]
    processes.start("emulators.cloud_storage", port, *flags, "--bucket", BUCKET, "--bucket", OTHER)
    url = f"http://127.0.0.1:{port}"
    return Place(url, connect(url).bucket(BUCKET), accounts)


@pytest.fixture
def prefix() -> str:
    return f"{uuid4().hex}/"


class TestSignedPut:
    """One object, once, within its size."""

    def test_it_creates_its_object_and_never_replaces_it(self, place: Place, prefix: str) -> None:
        url = place.signed("PUT", f"{prefix}a", BOUNDED)
        assert send("PUT", url, b"first", **BOUNDED) == 200
        assert send("PUT", url, b"second", **BOUNDED) == 412
        assert place.content(f"{prefix}a") == b"first"

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            CREATE,
            BOUNDED | {"x-goog-if-generation-match": "1"},
            BOUNDED | {"x-goog-content-length-range": "0,999999"},
            BOUNDED | {"x-goog-meta-a": "b"},
            BOUNDED | {"x-goog-if-metageneration-match": "1"},
        ],
    )
    def test_its_conditions_cannot_be_left_out_nor_changed(
        self, place: Place, prefix: str, headers: dict[str, str]
    ) -> None:
        place.bucket.blob(f"{prefix}a").upload_from_string("kept", retry=None)
        assert send("PUT", place.signed("PUT", f"{prefix}a", BOUNDED), b"x", **headers) == 403
        assert place.content(f"{prefix}a") == b"kept"

    @pytest.mark.parametrize(("size", "status"), [(0, 200), (MOST, 200), (MOST + 1, 400), (3_000_000, 400)])
    def test_its_size_is_bounded(self, place: Place, prefix: str, size: int, status: int) -> None:
        assert send("PUT", place.signed("PUT", f"{prefix}a", BOUNDED), b"x" * size, **BOUNDED) == status
        assert (place.content(f"{prefix}a") is not None) is (status == 200)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "PATCH"])
    def test_it_does_nothing_else(self, place: Place, prefix: str, method: str) -> None:
        place.bucket.blob(f"{prefix}a").upload_from_string("kept", retry=None)
        url = place.signed("PUT", f"{prefix}a", BOUNDED)
        assert send(method, url, **BOUNDED) == 403
        assert send(method, url, **BOUNDED, **{"x-goog-resumable": "start"}) == 403
        assert place.content(f"{prefix}a") == b"kept"

    def test_it_is_for_one_name_and_bucket_and_no_list(self, place: Place, prefix: str) -> None:
        url = place.signed("PUT", f"{prefix}a", BOUNDED)
        for other in (url.replace(f"{prefix}a?", f"{prefix}b?"), url.replace(BUCKET, OTHER, 1)):
            assert send("PUT", other, b"x", **BOUNDED) == 403
        assert send("GET", url.replace(f"{prefix}a?", "?"), **BOUNDED) in (403, 501)
        assert list(place.bucket.list_blobs(prefix=prefix, retry=None)) == []


class TestSignedSession:
    """A start that is signed, and an address that is a right by itself for a week."""

    def test_it_creates_its_object_and_never_replaces_it(self, place: Place, prefix: str) -> None:
        """Two sessions begin; the first that ends makes the object, and the second one fails for good."""
        url = place.signed("RESUMABLE", f"{prefix}a", CREATE)
        one, two = (start(place, url, CREATE) for _ in range(2))
        assert send("PUT", two, b"first") == 200
        assert [send("PUT", one, b"second") for _ in range(2)] == [412, 412]
        assert place.content(f"{prefix}a") == b"first"

    def test_a_finished_session_writes_no_more(self, place: Place, prefix: str) -> None:
        """It answers what it made, and leaves what came after alone."""
        session = start(place, place.signed("RESUMABLE", f"{prefix}a", CREATE), CREATE)
        assert send("PUT", session, b"first") == 200
        place.bucket.blob(f"{prefix}a").delete(retry=None)
        assert send("PUT", session, b"again") == 200
        assert place.content(f"{prefix}a") is None

    def test_its_size_is_bounded_to_the_end(self, place: Place, prefix: str) -> None:
        url = place.signed("RESUMABLE", f"{prefix}a", BOUNDED)
        assert send("PUT", start(place, url, BOUNDED), b"x" * (MOST + 1)) == 400
        declared = {"Content-Range": f"bytes 0-262143/{MOST + 1}"}
        assert send("PUT", start(place, url, BOUNDED), b"x" * 262144, **declared) == 400
        unknown = {"Content-Range": "bytes 0-262143/*"}
        assert send("PUT", start(place, url, BOUNDED), b"x" * 262144, **unknown) == 400
        assert place.content(f"{prefix}a") is None
        assert send("PUT", start(place, url, BOUNDED), b"x" * MOST) == 200

    def test_its_start_is_for_its_headers_method_and_name(self, place: Place, prefix: str) -> None:
        url, started = place.signed("RESUMABLE", f"{prefix}a", CREATE), {"x-goog-resumable": "start"}
        assert send("POST", url, **started) == 403
        assert send("POST", url, **CREATE) == 403
        assert send("PUT", url, b"x", **CREATE, **started) == 403
        assert send("POST", url.replace(f"{prefix}a?", f"{prefix}b?"), **CREATE, **started) == 403

    def test_its_address_is_for_its_object(self, place: Place, prefix: str) -> None:
        """It neither reads nor lists, and under another name or bucket it is unknown; but it cancels."""
        session = start(place, place.signed("RESUMABLE", f"{prefix}a", CREATE), CREATE)
        for other in (session.replace(f"{prefix}a?", f"{prefix}b?"), session.replace(BUCKET, OTHER, 1)):
            assert send("PUT", other, b"x") == 404
        assert send("GET", session) == 403
        assert send("DELETE", session) == 204
        assert send("PUT", session, b"x") == 404
        assert place.content(f"{prefix}a") is None


class TestForm:
    """Any names below a prefix, within the size; what is there is replaced."""

    def test_it_writes_below_its_prefix_alone(self, place: Place, prefix: str) -> None:
        form = place.form(prefix)
        for key in (f"{prefix}a", f"{prefix}deep/er", prefix):
            assert post(place, form, key, b"x") == 204
        for key in ("elsewhere", prefix[:-1], f"x{prefix}a", prefix.upper() + "a"):
            assert post(place, form, key, b"x") == 400
        assert post(place, form, f"{prefix}a", b"x", bucket=OTHER) == 400

    def test_it_replaces_what_is_there(self, place: Place, prefix: str) -> None:
        """There is no condition on generations for a form; one that claims to have it is refused."""
        form = place.form(prefix)
        assert [post(place, form, f"{prefix}a", text) for text in (b"first", b"second")] == [204, 204]
        assert place.content(f"{prefix}a") == b"second"
        conditional = place.bucket.client.generate_signed_post_policy_v4(
            BUCKET, f"{prefix}a", expiration=SOON, credentials=place.accounts.signer, fields=CREATE
        )
        assert post(place, conditional, f"{prefix}a", b"third") == 501
        assert place.content(f"{prefix}a") == b"second"

    @pytest.mark.parametrize(("size", "status"), [(MOST, 204), (MOST + 1, 400)])
    def test_its_size_is_bounded(self, place: Place, prefix: str, size: int, status: int) -> None:
        assert post(place, place.form(prefix), f"{prefix}a", b"x" * size) == status

    def test_dots_make_no_path(self, place: Place, prefix: str) -> None:
        """A name is a name: it stays below its prefix, whatever is in it."""
        assert post(place, place.form(prefix), f"{prefix}../../elsewhere", b"x") == 204
        names = [blob.name for blob in place.bucket.list_blobs(prefix=prefix, retry=None)]
        assert names == [f"{prefix}../../elsewhere"]


class TestToken:
    """Any names below a prefix, of any size; what is there stays, as its role may not delete."""

    def test_it_creates_below_its_prefix_alone(self, place: Place, prefix: str) -> None:
        token = place.token(prefix)
        assert upload(place, token, f"{prefix}a", b"x") == 200
        for name in ("elsewhere", prefix[:-1], f"x{prefix}a"):
            assert upload(place, token, name, b"x") == 403
        assert upload(place, token, f"{prefix}a", b"x", bucket=OTHER) == 403

    def test_it_replaces_nothing(self, place: Place, prefix: str) -> None:
        """Who asks for a new object is told that there is one: 412; who does not, that they may not: 403."""
        token = place.token(prefix)
        place.bucket.blob(f"{prefix}a").upload_from_string("kept", retry=None)
        assert upload(place, token, f"{prefix}a", b"x") == 403
        assert upload(place, token, f"{prefix}a", b"x", query="&ifGenerationMatch=0") == 412
        generation = place.bucket.get_blob(f"{prefix}a", retry=None).generation
        assert upload(place, token, f"{prefix}a", b"x", query=f"&ifGenerationMatch={generation}") == 403
        assert place.content(f"{prefix}a") == b"kept"

    def test_no_session_of_it_replaces_anything_either(self, place: Place, prefix: str) -> None:
        session = httpx2.post(
            f"{place.url}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name={prefix}a",
            headers={"Authorization": f"Bearer {place.token(prefix)}"},
            trust_env=False,
        ).headers["location"]
        place.bucket.blob(f"{prefix}a").upload_from_string("kept", retry=None)
        assert send("PUT", session, b"x") == 403
        assert place.content(f"{prefix}a") == b"kept"

    def test_no_upload_in_parts_of_it_does(self, place: Place, prefix: str) -> None:
        url = f"{place.url}/{BUCKET}/{prefix}a"
        head = {"Authorization": f"Bearer {place.token(prefix)}"}
        begun = httpx2.post(f"{url}?uploads", headers=head, trust_env=False)
        upload_id = begun.text.partition("<UploadId>")[2].partition("<")[0]
        part = httpx2.put(
            f"{url}?partNumber=1&uploadId={upload_id}", content=b"x", headers=head, trust_env=False
        )
        place.bucket.blob(f"{prefix}a").upload_from_string("kept", retry=None)
        named = f"<Part><PartNumber>1</PartNumber><ETag>{part.headers['etag']}</ETag></Part>"
        whole = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()
        assert send("POST", f"{url}?uploadId={upload_id}", whole, **head) == 403
        assert place.content(f"{prefix}a") == b"kept"

    def test_it_neither_reads_nor_lists_nor_deletes(self, place: Place, prefix: str) -> None:
        place.bucket.blob(f"{prefix}a").upload_from_string("kept", retry=None)
        head = {"Authorization": f"Bearer {place.token(prefix)}"}
        objects = f"{place.url}/storage/v1/b/{BUCKET}/o"
        one = f"{objects}/{prefix.replace('/', '%2F')}a"
        for method, url in (
            ("GET", one),
            ("GET", f"{one}?alt=media"),
            ("DELETE", one),
            ("PATCH", one),
            ("GET", f"{objects}?prefix={prefix}"),
            ("POST", f"{one}/rewriteTo/b/{BUCKET}/o/{prefix.replace('/', '%2F')}b"),
            ("POST", f"{one}/moveTo/o/{prefix.replace('/', '%2F')}b"),
            ("POST", f"{one}/restore?generation=1"),
            ("GET", f"{place.url}/storage/v1/b/{BUCKET}"),
            ("PATCH", f"{place.url}/storage/v1/b/{BUCKET}"),
        ):
            assert send(method, url, **head) == 403, (method, url)
        assert place.content(f"{prefix}a") == b"kept"

    def test_the_names_of_another_prefix_are_not_told(self, place: Place, prefix: str) -> None:
        """A viewer of one prefix is told 403 elsewhere, of what is there and of what is not."""
        place.bucket.blob("elsewhere/there").upload_from_string("x", retry=None)
        head = {"Authorization": f"Bearer {place.token(prefix, 'objectViewer')}"}
        objects = f"{place.url}/storage/v1/b/{BUCKET}/o"
        for name in ("elsewhere%2Fthere", "elsewhere%2Fnot"):
            assert send("GET", f"{objects}/{name}", **head) == 403
        for query in ("", "?prefix=", f"?prefix={prefix[:-2]}", f"?delimiter=/&startOffset={prefix}"):
            assert send("GET", f"{objects}{query}", **head) == 403
        assert send("GET", f"{objects}?prefix={prefix}", **head) == 200


def test_every_grant_ends_but_the_address_of_a_session(
    processes: Any,
    free_port: Callable[[], int],
    connect: Callable[[str], storage.Client],
    accounts: Any,
    tmp_path: Any,
) -> None:
    """A session outlives what it was started by, for a week."""
    port = free_port()
    flags = ["--state", str(tmp_path), "--project", "demo-dormouse", "--keys-base", accounts.url]
    processes.start("emulators.cloud_storage", port, *flags, "--bucket", BUCKET)
    url = f"http://127.0.0.1:{port}"
    own = Place(url, connect(url).bucket(BUCKET), accounts)
    put, begin = own.signed("PUT", "put", CREATE), own.signed("RESUMABLE", "session", CREATE)
    form, token = own.form("form/"), own.token("token/")
    early, late = (start(own, begin, CREATE) for _ in range(2))

    def advance(seconds: int) -> None:
        path = f"{url}/emulator/v1/clock:advance"
        httpx2.post(path, json={"seconds": seconds}, trust_env=False).raise_for_status()

    advance(301)
    assert send("PUT", put, b"x", **CREATE) == 400
    assert send("POST", begin, b"", **CREATE, **{"x-goog-resumable": "start"}) == 400
    assert post(own, form, "form/a", b"x") == 400
    assert upload(own, token, "token/a", b"x") == 200
    advance(3600)
    assert upload(own, token, "token/b", b"x") == 401
    assert send("PUT", early, b"x") == 200
    advance(7 * 86_400)
    assert send("PUT", late, b"x") == 410
