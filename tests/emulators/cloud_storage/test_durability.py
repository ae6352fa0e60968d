"""What was acknowledged survives a kill; what was not leaves nothing."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from google.cloud import storage

MEBIBYTE = 1 << 20


@pytest.fixture
def restart(
    processes: Any, free_port: Callable[[], int], connect: Callable[[str], storage.Client], tmp_path: Path
) -> Iterator[Callable[[], tuple[storage.Client, Any]]]:
    """Starts the emulator again on the same state, killing the one before."""
    port, running = free_port(), []

    def start() -> tuple[storage.Client, Any]:
        for process in running:
            processes.kill(process)
        flags = ["--state", str(tmp_path), "--project", "demo-dormouse", "--bucket", "kept"]
        running[:] = [processes.start("emulators.cloud_storage", port, *flags)]
        return connect(f"http://127.0.0.1:{port}"), running[0]

    yield start
    for process in running:
        processes.kill(process)


def test_everything_acknowledged_survives_a_kill(restart: Callable[[], tuple[storage.Client, Any]]) -> None:
    """Contents, metadata, generations, buckets, deletes."""
    client, _ = restart()
    bucket = client.bucket("kept")
    for number in range(20):
        bucket.blob(f"o/{number}").upload_from_string(os.urandom(1000 * number), retry=None)
    bucket.delete_blob("o/0", retry=None)
    patched = bucket.blob("o/1")
    patched.metadata = {"a": "☃"}
    patched.patch(retry=None)
    before = {blob.name: blob._properties for blob in bucket.list_blobs(retry=None)}
    contents = {name: bucket.blob(name).download_as_bytes(retry=None) for name in before}

    client, _ = restart()
    bucket = client.bucket("kept")
    assert {blob.name: blob._properties for blob in bucket.list_blobs(retry=None)} == before
    assert {name: bucket.blob(name).download_as_bytes(retry=None) for name in before} == contents
    replaced = bucket.blob("o/1")
    replaced.upload_from_string("new", if_generation_match=patched.generation, retry=None)
    assert replaced.generation > max(int(values["generation"]) for values in before.values())


def test_a_kill_in_the_middle_of_writes_leaves_old_or_new_and_no_rubbish(
    restart: Callable[[], tuple[storage.Client, Any]], tmp_path: Path
) -> None:
    """Two writers replace objects while the process is killed, again and again."""
    size = 2 * MEBIBYTE
    for generation in range(1, 4):
        client, process = restart()
        acknowledged: list[tuple[str, int]] = []
        writers = [
            threading.Thread(target=write_until_killed, args=(client, f"object-{name}", size, acknowledged))
            for name in range(2)
        ]
        for writer in writers:
            writer.start()
        while len(acknowledged) < 3 * generation:
            assert any(writer.is_alive() for writer in writers)
            time.sleep(0.01)
        process.kill()
        for writer in writers:
            writer.join()
        client, _ = restart()
        last = dict(acknowledged)
        for name, marker in last.items():
            content = client.bucket("kept").blob(name).download_as_bytes(retry=None)
            # An unacknowledged one may have been committed too, but never a part of one.
            assert len(content) == size
            assert set(content) <= {marker, (marker + 1) % 256}
            assert len(set(content)) == 1
    assert len(list((tmp_path / "contents").iterdir())) == 2
    assert not list(tmp_path.rglob("*.partial"))


def write_until_killed(client: Any, name: str, size: int, acknowledged: list[tuple[str, int]]) -> None:
    try:
        for marker in range(256):
            client.bucket("kept").blob(name).upload_from_string(bytes([marker]) * size, retry=None)
            acknowledged.append((name, marker))
    except Exception:  # the connection ends with the process
        return


def test_a_client_that_hangs_up_leaves_nothing(
    restart: Callable[[], tuple[storage.Client, Any]], tmp_path: Path, eventually: Any
) -> None:
    """Not a byte on disk; and the object that was there before stays as it was."""
    client, _ = restart()
    blob = client.bucket("kept").blob("object")
    blob.upload_from_string("old", retry=None)
    address = urlsplit(client._connection.API_BASE_URL)
    head = (
        f"POST /upload/storage/v1/b/kept/o?uploadType=media&name=object HTTP/1.1\r\n"
        f"Host: {address.netloc}\r\nContent-Length: {8 * MEBIBYTE}\r\n\r\n"
    )
    contents = tmp_path / "contents"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + bytes(5 * MEBIBYTE))
        eventually(lambda: any(path.stat().st_size > MEBIBYTE for path in contents.iterdir()))
    eventually(lambda: len(list(contents.iterdir())) == 1)
    assert blob.download_as_bytes(retry=None) == b"old"


def test_refused_uploads_leave_nothing(
    restart: Callable[[], tuple[storage.Client, Any]], tmp_path: Path
) -> None:
    """By their condition, their checksum, or because they were cancelled."""
    client, _ = restart()
    bucket = client.bucket("kept")
    bucket.blob("object").upload_from_string("old", retry=None)
    upload = f"{client._connection.API_BASE_URL}/upload/storage/v1/b/kept/o?name=object&uploadType="
    wrong = {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    assert httpx2.post(f"{upload}media", content=b"new", headers=wrong, trust_env=False).status_code == 400
    refused = httpx2.post(f"{upload}media&ifGenerationMatch=0", content=b"new", trust_env=False)
    assert refused.status_code == 412
    session = httpx2.post(f"{upload}resumable", trust_env=False).headers["location"]
    assert httpx2.put(session, content=b"new", headers=wrong, trust_env=False).status_code == 400
    session = httpx2.post(f"{upload}resumable", trust_env=False).headers["location"]
    httpx2.delete(session, trust_env=False)
    assert len(list((tmp_path / "contents").iterdir())) == 1


def test_no_name_of_a_client_becomes_a_file_name(
    restart: Callable[[], tuple[storage.Client, Any]], tmp_path: Path
) -> None:
    client, _ = restart()
    client.bucket("kept").blob("../../../escaped-name").upload_from_string("x", retry=None)
    files = [str(path) for path in tmp_path.parent.rglob("*")]
    assert not any("escaped-name" in path for path in files)
    assert client.bucket("kept").blob("../../../escaped-name").exists(retry=None)


def test_a_reader_is_not_disturbed_by_a_delete(restart: Callable[[], tuple[storage.Client, Any]]) -> None:
    """Who has begun to download an object gets the whole of it."""
    client, _ = restart()
    data = os.urandom(20 * MEBIBYTE)
    blob = client.bucket("kept").blob("read")
    blob.upload_from_string(data, retry=None)
    url = f"{client._connection.API_BASE_URL}/storage/v1/b/kept/o/read?alt=media"
    with httpx2.stream("GET", url, trust_env=False) as response:
        stream = response.iter_bytes(MEBIBYTE)
        first = next(stream)
        blob.delete(retry=None)
        assert first + b"".join(stream) == data


def test_sigterm_ends_it_with_success(
    restart: Callable[[], tuple[storage.Client, Any]], processes: Any
) -> None:
    _, process = restart()
    assert processes.stop(process) == 0


def test_help_explains_how_to_use_it() -> None:
    command = [sys.executable, "-m", "emulators.cloud_storage", "--help"]
    explained = subprocess.run(command, capture_output=True, text=True)
    assert "STORAGE_EMULATOR_HOST" in explained.stdout
    assert "501" in explained.stdout
