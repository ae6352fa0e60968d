"""An upload that is under way survives a kill of the emulator: its session, its bytes, its conditions."""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import httpx2
import pytest

QUANTUM = 256 * 1024
DATA = os.urandom(3 * QUANTUM + 1000)
WEEK = 7 * 24 * 3600


@pytest.fixture
def restart(
    processes: Any, free_port: Callable[[], int], connect: Any, tmp_path: Path
) -> Iterator[Callable[[], Any]]:
    """Starts the emulator again on the same state, killing the one before; gives its bucket."""
    port, running = free_port(), []

    def start() -> Any:
        for process in running:
            processes.kill(process)
        flags = ["--state", str(tmp_path), "--project", "demo-dormouse", "--bucket", "kept"]
        running[:] = [processes.start("emulators.cloud_storage", port, *flags)]
        return connect(f"http://127.0.0.1:{port}").bucket("kept")

    yield start
    for process in running:
        processes.kill(process)


def begin(bucket: Any, name: str = "upload", **options: Any) -> str:
    return str(bucket.blob(name).create_resumable_upload_session(content_type="text/x-test", **options))


def send(session: str, first: int, stop: int, total: object = "*", **headers: str) -> httpx2.Response:
    headers |= {"Content-Range": f"bytes {first}-{stop - 1}/{total}"}
    return httpx2.put(session, content=DATA[first:stop], headers=headers, trust_env=False)


def ask(session: str, total: object = "*") -> httpx2.Response:
    return httpx2.put(session, headers={"Content-Range": f"bytes */{total}"}, trust_env=False)


def test_an_upload_goes_on_after_a_kill(restart: Callable[[], Any]) -> None:
    """What was acknowledged is there, and the checksums are of the whole."""
    session = begin(restart())
    send(session, 0, 2 * QUANTUM)
    bucket = restart()
    status = ask(session)
    assert (status.status_code, status.headers["range"]) == (308, f"bytes=0-{2 * QUANTUM - 1}")
    assert not bucket.blob("upload").exists(retry=None)
    assert send(session, 2 * QUANTUM, len(DATA), len(DATA)).status_code == 200
    found = bucket.get_blob("upload", retry=None)
    assert found.content_type == "text/x-test"
    assert found.md5_hash == b64encode(md5(DATA).digest()).decode()
    assert found.download_as_bytes(retry=None) == DATA


def test_an_upload_that_brought_nothing_yet_goes_on_too(restart: Callable[[], Any]) -> None:
    session = begin(restart())
    bucket = restart()
    assert "range" not in ask(session).headers
    assert httpx2.put(session, content=DATA, trust_env=False).status_code == 200
    assert bucket.blob("upload").download_as_bytes(retry=None) == DATA


def test_a_complete_upload_still_says_so_after_a_kill(restart: Callable[[], Any]) -> None:
    """A client whose last answer was lost with the process asks again, and nothing is stored twice."""
    session = begin(restart(), if_generation_match=0)
    done = send(session, 0, len(DATA), len(DATA)).json()
    bucket = restart()
    for again in (ask(session, len(DATA)), send(session, 0, len(DATA), len(DATA))):
        assert again.status_code == 200
        assert again.json() == done
    assert bucket.get_blob("upload", retry=None).generation == int(done["generation"])


def test_its_conditions_and_checksums_are_kept(restart: Callable[[], Any]) -> None:
    bucket = restart()
    conditional, wrong = begin(bucket, "raced", if_generation_match=0), bucket.blob("wrong")
    wrong.md5_hash = "AAAAAAAAAAAAAAAAAAAAAA=="
    checked = str(wrong.create_resumable_upload_session())
    bucket.blob("raced").upload_from_string("first", retry=None)
    bucket = restart()
    assert send(conditional, 0, len(DATA), len(DATA)).status_code == 412
    assert send(checked, 0, len(DATA), len(DATA)).status_code == 400
    assert bucket.blob("raced").download_as_bytes(retry=None) == b"first"
    assert not bucket.blob("wrong").exists(retry=None)


def test_a_cancelled_upload_does_not_come_back(restart: Callable[[], Any], tmp_path: Path) -> None:
    session = begin(restart())
    send(session, 0, QUANTUM)
    assert httpx2.delete(session, trust_env=False).status_code == 499
    restart()
    assert ask(session).status_code == 404
    assert list((tmp_path / "uploads").iterdir()) == []


def test_an_upload_ends_a_week_after_its_start(restart: Callable[[], Any], tmp_path: Path) -> None:
    """By the emulator's clock, kills or not; its bytes are freed."""
    bucket = restart()
    session = begin(bucket)
    send(session, 0, QUANTUM)
    advance(bucket, WEEK - 60)
    restart()
    assert ask(session).status_code == 308
    advance(bucket, 120)
    assert ask(session).status_code == 410
    assert send(session, QUANTUM, len(DATA), len(DATA)).status_code == 410
    assert list((tmp_path / "uploads").iterdir()) == []


def test_parts_are_there_after_a_kill(restart: Callable[[], Any]) -> None:
    """A multipart upload of the XML API is completed by the next process."""
    bucket = restart()
    url = f"{bucket.client._connection.API_BASE_URL}/kept/in-parts"
    started = httpx2.post(f"{url}?uploads", headers={"Content-Type": "text/x-y"}, trust_env=False)
    found = re.search("<UploadId>(.*)</UploadId>", started.text)
    assert found
    upload = f"{url}?uploadId={found[1]}"
    etag = httpx2.put(f"{upload}&partNumber=1", content=DATA, trust_env=False).headers["etag"]
    bucket = restart()
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    whole = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
    assert httpx2.post(upload, content=whole, trust_env=False).status_code == 200
    blob = bucket.get_blob("in-parts", retry=None)
    assert blob.content_type == "text/x-y"
    assert blob.download_as_bytes(retry=None) == DATA


def advance(bucket: Any, seconds: float) -> None:
    url = f"{bucket.client._connection.API_BASE_URL}/emulator/v1/clock:advance"
    httpx2.post(url, json={"seconds": seconds}, trust_env=False).raise_for_status()
