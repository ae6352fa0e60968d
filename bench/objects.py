"""How quickly do objects go up and down, beside a plain nginx that neither hashes nor flushes them?"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from bench.cloud import Cloud
from bench.measure import Action, milliseconds, rates, times
from bench.result import Row
from bench.wire import Wire

_SMALL, _LARGE = 1 << 10, 128 << 20
_MIB = 1 << 20
_SECONDS = 1.0
_BUCKET = "bench"
_UPLOAD, _OBJECT = f"/upload/storage/v1/b/{_BUCKET}/o?uploadType=media&name=", f"/storage/v1/b/{_BUCKET}/o/"
_DURABLE = "nginx flushes nothing; two flushes of the disk are in each of ours"
_HASHED = "crc32c and MD5 of every byte, and a flush, in one Python process"
_RELAYED = "every byte passes through a Python process; nginx leaves it to sendfile"


def rows(cloud: Cloud, nginx: str, directory: Path, rounds: int) -> Iterator[Row]:
    """Small objects a second, and MiB a second of a large one."""
    ours, peer = Wire(cloud.storage), Wire(nginx)
    ours.json("POST", "/storage/v1/b?project=demo-bench", {"name": _BUCKET})
    yield _small_up(ours, peer, rounds)
    found = rates(
        lambda: ours.call("GET", f"{_OBJECT}small-0?alt=media"),
        lambda: peer.call("GET", "/small-0"),
        rounds=rounds,
        seconds=_SECONDS,
    )
    yield Row("Cloud Storage: 1 KiB down", "objects/s", *found, "nginx GET", 0.05, why=_RELAYED)
    large = directory / "large"
    large.write_bytes(os.urandom(_LARGE))
    yield _large_up(ours, peer, large, rounds)
    found = times(
        lambda: _speed(lambda: ours.drain(f"{_OBJECT}large?alt=media")),
        lambda: _speed(lambda: peer.drain("/large")),
        rounds,
    )
    yield Row("Cloud Storage: 128 MiB down", "MiB/s", *found, "nginx GET", 0.1, why=_RELAYED)


def _small_up(ours: Wire, peer: Wire, rounds: int) -> Row:
    content, numbers = os.urandom(_SMALL), itertools.count()
    peer.call("PUT", "/small-0", content)
    found = rates(
        lambda: ours.call("POST", f"{_UPLOAD}small-{next(numbers)}", content),
        lambda: peer.call("PUT", f"/small-{next(numbers)}", content),
        rounds=rounds,
        seconds=_SECONDS,
    )
    return Row("Cloud Storage: 1 KiB up", "objects/s", *found, "nginx PUT", 0.02, why=_DURABLE)


def _large_up(ours: Wire, peer: Wire, large: Path, rounds: int) -> Row:
    def send(wire: Wire, method: str, path: str) -> None:
        with large.open("rb") as file:
            wire.call(method, path, file, {"Content-Length": str(_LARGE)})

    found = times(
        lambda: _speed(lambda: send(ours, "POST", f"{_UPLOAD}large")),
        lambda: _speed(lambda: send(peer, "PUT", "/large")),
        rounds,
    )
    return Row("Cloud Storage: 128 MiB up", "MiB/s", *found, "nginx PUT", 0.1, why=_HASHED)


def _speed(action: Action) -> float:
    return _LARGE / _MIB / (milliseconds(action) / 1000)
