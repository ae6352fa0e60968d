"""How many calls a second do the emulators answer, beside their own server with nothing behind it?"""

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import peers
from bench.cloud import PARENT, Cloud, finish
from bench.measure import in_turns, milliseconds, rate, rates
from bench.result import Row
from bench.wire import Wire

_IMAGE = "registry.test/small@sha256:" + "0" * 64
_LISTED = 50
# Each operation takes its 50 ms at Google's pace, so that a single client would measure the waiting.
_CLIENTS, _LIVES = 16, 4
_numbers = itertools.count()
_SECONDS = 1.0
_OWN_SERVER = "the same answer, canned"
_READ_LIMIT, _READ_WHY = (
    0.2,
    "four fifths of a read may be what makes it Google's: routing, faults, state, JSON",
)
_LIST_LIMIT = _READ_LIMIT / 10  # fifty services are put together, not one
_WRITE_LIMIT, _WRITE_WHY = (
    0.04,
    "a life is some ten durable files: two services, two revisions, four operation states",
)


def rows(cloud: Cloud, directory: Path, rounds: int) -> Iterator[Row]:
    """Cloud Run's and Cloud Scheduler's everyday calls."""
    run, scheduler = Wire(cloud.run), Wire(cloud.scheduler)
    for number in range(_LISTED):
        finish(run, create(run, f"listed-{number}"))
    yield _read("Cloud Run: get", run, f"/v2/{PARENT}/services/listed-0", directory, rounds)
    listed = f"/v2/{PARENT}/services?pageSize={_LISTED}"
    yield _read(f"Cloud Run: list of {_LISTED}", run, listed, directory, rounds, limit=_LIST_LIMIT)
    yield _write(cloud, directory, rounds)
    job = {"schedule": "0 3 * * *", "timeZone": "Europe/Madrid", "httpTarget": {"uri": "http://127.0.0.1:1/"}}
    scheduler.json("POST", f"/v1/{PARENT}/jobs", job | {"name": f"{PARENT}/jobs/nightly"})
    yield _read("Cloud Scheduler: get", scheduler, f"/v1/{PARENT}/jobs/nightly", directory, rounds)


def create(run: Wire, service_id: str) -> dict[str, object]:
    """The operation of a new service at MANUAL 0: nothing is started."""
    service = {
        "scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 0},
        "template": {"containers": [{"image": _IMAGE}]},
    }
    return run.json("POST", f"/v2/{PARENT}/services?serviceId={service_id}", service)


def _read(name: str, wire: Wire, path: str, directory: Path, rounds: int, limit: float = _READ_LIMIT) -> Row:
    with peers.canned(wire.call("GET", path), directory) as url:
        peer = Wire(url)
        found = rates(
            lambda: wire.call("GET", path), lambda: peer.call("GET", path), rounds=rounds, seconds=_SECONDS
        )
    return Row(name, "calls/s", *found, _OWN_SERVER, limit, why=_READ_WHY)


def _write(cloud: Cloud, directory: Path, rounds: int) -> Row:
    file, content = directory / "durable", os.urandom(2048)
    found = in_turns(
        lambda: _lives(cloud), lambda: rate(lambda: peers.durable_write(file, content), _SECONDS), rounds
    )
    return Row(
        f"Cloud Run: create + delete, {_CLIENTS} clients",
        "lives/s",
        *found,
        "one durable 2 KiB file",
        _WRITE_LIMIT,
        why=_WRITE_WHY,
    )


def _lives(cloud: Cloud) -> float:
    """Services created and deleted in a second, to the end of both operations."""

    def live(_: int) -> None:
        run = Wire(cloud.run)
        for _life in range(_LIVES):
            service_id = f"life-{next(_numbers)}"
            finish(run, create(run, service_id))
            finish(run, run.json("DELETE", f"/v2/{PARENT}/services/{service_id}"))

    with ThreadPoolExecutor(_CLIENTS) as clients:
        took = milliseconds(lambda: list(clients.map(live, range(_CLIENTS))))
    return _CLIENTS * _LIVES / took * 1000
