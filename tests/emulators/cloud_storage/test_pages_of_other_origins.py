"""A page in somebody's browser may what a signature or the address of an upload lets it, and is no owner."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from google.cloud import storage

BUCKET, PAGE = "pages", "https://page.example"


@pytest.fixture(scope="module")
def verified(
    processes: Any, free_port: Callable[[], int], accounts: Any, tmp_path_factory: pytest.TempPathFactory
) -> str:
    port, state = free_port(), str(tmp_path_factory.mktemp("pages"))
    flags = ["--state", state, "--project", "demo-dormouse", "--keys-base", accounts.url, "--bucket", BUCKET]
    processes.start("emulators.cloud_storage", port, *flags)
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def pages(verified: str, connect: Callable[[str], storage.Client]) -> storage.Bucket:
    return connect(verified).bucket(BUCKET)


def ask(method: str, url: str, content: bytes = b"", **headers: str) -> httpx2.Response:
    headers = {"Origin": PAGE, "Sec-Fetch-Mode": "cors", "Content-Type": "text/plain"} | headers
    return httpx2.request(method, url, content=content, headers=headers, trust_env=False)


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000", "http://127.0.0.1:5000", "null"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/storage/v1/b/{BUCKET}/o"),
        ("DELETE", f"/storage/v1/b/{BUCKET}"),
        ("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=planted"),
        ("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=planted&upload_id=x"),
        ("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name=planted"),
        ("POST", "/batch/storage/v1"),
        ("POST", f"/{BUCKET}/planted?uploads"),
        ("POST", "/emulator/v1/clock:advance"),
        ("POST", "/emulator/v1/faults"),
        ("GET", f"/{BUCKET}/planted"),
        ("PUT", f"/{BUCKET}/planted"),
        ("POST", f"/{BUCKET}/planted"),
    ],
)
def test_a_page_is_no_owner(pages: Any, verified: str, method: str, path: str, origin: str) -> None:
    """Of whatever origin, loopback too."""
    assert ask(method, verified + path, b"x", Origin=origin).status_code == 403
    assert list(pages.list_blobs(retry=None)) == []


def test_a_page_writes_and_reads_by_signature(pages: Any, verified: str, accounts: Any) -> None:
    """Though its browser shows it the answers only where the bucket's CORS configuration allows that."""
    options = {"expiration": timedelta(minutes=5), "credentials": accounts.signer, "version": "v4"}
    put, get = (
        pages.blob("signed").generate_signed_url(method=method, api_access_endpoint=verified, **options)
        for method in ("PUT", "GET")
    )
    written = ask("PUT", put, b"content")
    assert written.status_code == 200
    assert "access-control-allow-origin" not in written.headers
    pages.cors = [{"origin": [PAGE], "method": ["GET"], "responseHeader": ["ETag"]}]
    pages.patch(retry=None)
    read = ask("GET", get)
    assert (read.content, read.headers["access-control-allow-origin"]) == (b"content", PAGE)
    assert ask("GET", get + "0").headers["access-control-allow-origin"] == PAGE
    pages.blob("signed").delete(retry=None)


def test_a_program_starts_an_upload_for_a_page(pages: Any) -> None:
    """By the stock client's `origin`; a page of another origin is not shown the answers."""
    session = pages.blob("for a page").create_resumable_upload_session(origin=PAGE)
    asked = {"Access-Control-Request-Method": "PUT"}
    before = ask("OPTIONS", session, **asked)
    assert before.headers["access-control-allow-origin"] == PAGE
    other = ask("OPTIONS", session, **asked, Origin="https://other.example")
    assert "access-control-allow-origin" not in other.headers
    assert ask("PUT", session, b"content").headers["access-control-allow-origin"] == PAGE
    pages.blob("for a page").delete(retry=None)


@pytest.mark.parametrize(
    "cors",
    [
        "all",
        [1],
        [{"origin": "*"}],
        [{"method": [5]}],
        [{"maxAgeSeconds": "x"}],
        [{"origin": ["a\nb"]}],
        [{"x": []}],
    ],
)
def test_a_configuration_that_is_none_is_refused(verified: str, cors: object) -> None:
    url = f"{verified}/storage/v1/b/{BUCKET}"
    assert httpx2.patch(url, json={"cors": cors}, trust_env=False).status_code == 400
