"""What goes wrong when a rule says so: errors, lost answers, broken downloads, delays by the emulator's clock."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import requests
from google.api_core import exceptions
from google.cloud.storage.retry import DEFAULT_RETRY

BROKEN = (requests.exceptions.RequestException, exceptions.GoogleAPIError, ConnectionError)
Fault = Callable[..., None]


@pytest.fixture
def fault(endpoint: str) -> Iterator[Fault]:
    """Puts a rule in force for the test."""
    url = f"{endpoint}/emulator/v1/faults"

    def put(effect: str, **rule: Any) -> None:
        document = {"name": uuid4().hex, "effect": effect} | rule
        httpx2.post(url, json=document, trust_env=False).raise_for_status()

    yield put
    httpx2.delete(url, trust_env=False)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("UNAVAILABLE", exceptions.ServiceUnavailable),
        ("RESOURCE_EXHAUSTED", exceptions.TooManyRequests),
        ("PERMISSION_DENIED", exceptions.Forbidden),
        ("INTERNAL", exceptions.InternalServerError),
    ],
)
def test_a_call_fails_as_asked(bucket: Any, fault: Fault, code: str, error: type[Exception]) -> None:
    """Only the call that is named, and only as often as was said."""
    blob = bucket.blob("x")
    blob.upload_from_string("x", retry=None)
    fault("error", method="storage.objects.get", resource=f"{bucket.name}/x", code=code, times=1)
    bucket.blob("y").exists(retry=None)
    with pytest.raises(error):
        blob.reload(retry=None)
    blob.reload(retry=None)


def test_the_stock_client_gets_over_a_short_outage(bucket: Any, fault: Fault) -> None:
    fault("error", method="storage.objects.*", times=2)
    quick = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.02)
    blob = bucket.blob("x")
    blob.upload_from_string("x", if_generation_match=0, retry=quick)
    fault("error", method="storage.objects.get", times=2)
    assert blob.download_as_bytes(retry=quick) == b"x"


@pytest.mark.parametrize("kind", ["media", "multipart", "resumable"])
def test_a_lost_answer_leaves_its_effect(bucket: Any, endpoint: str, fault: Fault, kind: str) -> None:
    """Whichever way the object came: it is whole, and the uploader does not know."""
    data, blob = os.urandom(700_000), bucket.blob("lost")
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=lost"
    session = blob.create_resumable_upload_session()
    send: dict[str, Callable[[], object]] = {
        "media": lambda: httpx2.post(url, content=data, trust_env=False),
        "multipart": lambda: blob.upload_from_string(data, retry=None),
        "resumable": lambda: httpx2.put(session, content=data, trust_env=False),
    }
    fault("drop", method="storage.objects.insert", resource=f"{bucket.name}/lost", when="after")
    with pytest.raises((httpx2.HTTPError, *BROKEN)):
        send[kind]()
    assert bucket.blob("lost").download_as_bytes(retry=None) == data


def test_a_batch_whose_answer_is_lost_has_taken_effect(bucket: Any, fault: Fault) -> None:
    for name in ("x", "y"):
        bucket.blob(name).upload_from_string("x", retry=None)
    fault("drop", method="storage.objects.delete", resource="*/y", when="after")
    with pytest.raises(BROKEN), bucket.client.batch():
        bucket.delete_blobs(["x", "y"], retry=None)
    assert list(bucket.list_blobs(retry=None)) == []


def test_a_call_that_was_dropped_before_has_no_effect(bucket: Any, fault: Fault) -> None:
    fault("drop", method="storage.objects.insert", when="before")
    with pytest.raises(BROKEN):
        bucket.blob("x").upload_from_string("x", retry=None)
    assert not bucket.blob("x").exists(retry=None)


def test_a_retry_after_a_lost_answer_meets_its_own_write(bucket: Any, fault: Fault) -> None:
    """The client repeats a conditional upload, and is told 412 of the object that it made itself."""
    fault("drop", method="storage.objects.insert", when="after", times=1)
    quick = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.02)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").upload_from_string("mine", if_generation_match=0, retry=quick)
    assert bucket.blob("x").download_as_bytes(retry=None) == b"mine"


def test_a_download_breaks_half_way_and_the_client_goes_on(bucket: Any, endpoint: str, fault: Fault) -> None:
    data = os.urandom(300_000)
    blob = bucket.blob("x")
    blob.upload_from_string(data, retry=None)
    fault("drop", method="storage.objects.get", when="after", times=1)
    url = f"{endpoint}/download/storage/v1/b/{bucket.name}/o/x?alt=media"
    received = bytearray()

    def read() -> None:
        with httpx2.stream("GET", url, trust_env=False) as response:
            assert response.headers["content-length"] == str(len(data))
            for piece in response.iter_bytes():
                received.extend(piece)

    with pytest.raises(httpx2.HTTPError):
        read()
    assert data.startswith(bytes(received))
    assert len(received) < len(data)
    fault("drop", method="storage.objects.get", when="after", times=1)
    quick = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.02)
    assert blob.download_as_bytes(retry=quick) == data


def test_a_delay_is_of_the_emulators_clock(bucket: Any, endpoint: str, fault: Fault) -> None:
    """An hour passes for the caller as soon as somebody moves the clock by it."""
    bucket.blob("x").upload_from_string("x", retry=None)
    fault("delay", method="storage.objects.get", seconds=3600, times=1)
    answers: list[bytes] = []
    caller = threading.Thread(
        target=lambda: answers.append(bucket.blob("x").download_as_bytes(retry=None, timeout=120))
    )
    caller.start()
    url = f"{endpoint}/emulator/v1/clock:advance"
    while caller.is_alive():
        httpx2.post(url, json={"seconds": 3600}, trust_env=False).raise_for_status()
        caller.join(0.2)
    assert answers == [b"x"]


def test_faults_come_from_a_file_too(
    processes: Any, free_port: Callable[[], int], connect: Any, tmp_path: Path
) -> None:
    rules = tmp_path / "faults.json"
    rules.write_text(json.dumps([{"name": "no", "effect": "error", "method": "storage.buckets.list"}]))
    port = free_port()
    flags = ["--state", str(tmp_path / "state"), "--project", "demo-dormouse", "--faults", str(rules)]
    processes.start("emulators.cloud_storage", port, *flags)
    with pytest.raises(exceptions.ServiceUnavailable):
        list(connect(f"http://127.0.0.1:{port}").list_buckets(retry=None))


def test_a_file_of_faults_that_cannot_be_used_is_refused_at_once(tmp_path: Path) -> None:
    rules = tmp_path / "faults.json"
    rules.write_text('[{"name": "x", "effect": "explode"}]')
    command = [sys.executable, "-m", "emulators.cloud_storage", "--port", "1", "--state", str(tmp_path)]
    ended = subprocess.run(
        [*command, "--project", "demo-dormouse", "--faults", str(rules)], capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert str(rules) in ended.stderr


@pytest.mark.parametrize("path", ["clock", "faults"])
def test_a_web_page_moves_neither_clock_nor_faults(endpoint: str, path: str) -> None:
    headers = {"Origin": "https://page.example"}
    url = f"{endpoint}/emulator/v1/{path}"
    assert httpx2.post(url, content=b"{}", headers=headers, trust_env=False).status_code == 403
