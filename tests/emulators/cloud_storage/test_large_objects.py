"""Objects far larger than the emulator's memory go in and out of it, by one request each."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import psutil
import pytest

MEBIBYTE = 1 << 20
SIZE = int(os.environ.get("LARGE_OBJECT_MEBIBYTES", "256"))
GROWTH = 64 * MEBIBYTE
PIECE = os.urandom(MEBIBYTE)


class Meter:
    """How far a process has grown since it was first looked at."""

    def __init__(self, pid: int) -> None:
        self._memory = psutil.Process(pid)
        self._before = self._memory.memory_info().rss
        self.growth = 0

    def look(self) -> None:
        self.growth = max(self.growth, self._memory.memory_info().rss - self._before)

    def pieces(self) -> Iterator[bytes]:
        for _ in range(SIZE):
            yield PIECE
            self.look()


@pytest.fixture
def emulator(
    processes: Any, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Meter]:
    """Its address, and the meter of its process, warm."""
    port, state = free_port(), str(tmp_path_factory.mktemp("large"))
    process = processes.start(
        "emulators.cloud_storage", port, "--state", state, "--project", "demo-dormouse", "--bucket", "large"
    )
    url = f"http://127.0.0.1:{port}"
    warm = f"{url}/upload/storage/v1/b/large/o?uploadType=media&name=warm"
    httpx2.post(warm, content=PIECE, trust_env=False).raise_for_status()
    return url, Meter(process.pid)


@pytest.mark.parametrize("kind", ["media", "multipart", "resumable"])
def test_memory_stays_bounded(emulator: tuple[str, Meter], kind: str) -> None:
    """While the object is 256 MiB, up and down, the process grows by less than 64 MiB."""
    url, meter = emulator
    upload = f"{url}/upload/storage/v1/b/large/o"
    if kind == "resumable":
        started = httpx2.post(upload, params={"uploadType": "resumable", "name": "o"}, trust_env=False)
        answer = httpx2.put(started.headers["location"], content=meter.pieces(), trust_env=False, timeout=120)
    elif kind == "media":
        answer = httpx2.post(
            upload,
            params={"uploadType": "media", "name": "o"},
            content=meter.pieces(),
            trust_env=False,
            timeout=120,
        )
    else:
        answer = httpx2.post(
            upload,
            params={"uploadType": "multipart"},
            content=_multipart(meter),
            headers={"Content-Type": "multipart/related; boundary=line"},
            trust_env=False,
            timeout=120,
        )
    assert answer.json()["size"] == str(SIZE * MEBIBYTE)
    assert _downloaded(f"{url}/download/storage/v1/b/large/o/o?alt=media", meter) == SIZE * MEBIBYTE
    assert meter.growth < GROWTH


def _multipart(meter: Meter) -> Iterator[bytes]:
    yield b'--line\r\nContent-Type: application/json\r\n\r\n{"name": "o"}\r\n--line\r\n\r\n'
    yield from meter.pieces()
    yield b"\r\n--line--\r\n"


def _downloaded(url: str, meter: Meter) -> int:
    total = 0
    with httpx2.stream("GET", url, trust_env=False, timeout=120) as response:
        for data in response.iter_bytes(MEBIBYTE):
            total += len(data)
            meter.look()
    return total
