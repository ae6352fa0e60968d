"""A workstation's life in order, as the witnesses would find it, for the invariants to be shown what is not in order."""

import base64
import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
import pytest
import zstandard

from proof.evidence import Evidence, Service, StoredObject
from proof.invariants.events import digest
from proof.told import Reading, Told, Write

UID, OWNER, ID = "u1", "ada", "ws-1"
BEGAN = datetime(2026, 3, 31, 23, 59, 50, tzinfo=UTC)
FILES = {"a.txt": b"one", "src/b.py": b"two"}
RATE = 90_000


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def chain(*facts: tuple[str, str, float]) -> list[dict[str, Any]]:
    """Events (kind, state, second) with numbers and hashes."""
    events: list[dict[str, Any]] = []
    for n, (kind, state, second) in enumerate(facts, start=1):
        event = {
            "uid": UID,
            "n": n,
            "kind": kind,
            "state": state,
            "time": at(second),
            "actor": OWNER,
            "reason": "user",
            "message": "",
            "epoch": 1,
            "requestId": f"request-{n}",
            "cost": 0,
            "previousHash": events[-1]["hash"] if events else "",
            "attempt": "x",
        }
        events.append(event | {"hash": digest(event)})
    return events


def archive(files: Mapping[str, bytes]) -> bytes:
    """As the agent saves them: tar, then zstd."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return zstandard.ZstdCompressor().compress(plain.getvalue())


def stored(content: bytes, name: str = "pr/u1/1/1.tar.zst") -> StoredObject:
    crc32c = base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
    return StoredObject(name=name, size=len(content), crc32c=crc32c, content=content)


def backup_of(one: StoredObject) -> dict[str, Any]:
    sha256 = hashlib.sha256(one.content or b"").hexdigest()
    return {"objectName": one.name, "size": one.size, "sha256": sha256}


def row(n: int, start: float, end: float, amount: int, requests: int = 0) -> tuple[str, dict[str, Any]]:
    interval = {
        "uid": UID,
        "epoch": 1,
        "n": n,
        "usage": "ACTIVE",
        "fee": 400_000,
        "requests": requests,
        "tally": "",
        "rate": RATE,
        "start": at(start),
        "end": at(end),
        "amount": amount,
        "owner": OWNER,
    }
    return f"{UID}-1-{n}", interval


def story() -> Told:
    """Two files written and read once, then a stop."""
    tree = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}
    return Told(
        id=ID,
        uid=UID,
        owner=OWNER,
        writes=[Write(path, sha256, at(5)) for path, sha256 in tree.items()],
        readings=[Reading(at(6), at(7), tree)],
        operations={"op-1": "create", "op-2": "stop"},
        rests_in="STOPPED",
    )


@dataclass
class Life:
    """What was found and what was told; both whole until a test breaks them."""

    found: Evidence
    told: Told

    def record(self, **changes: Any) -> Evidence:
        """With a record that differs."""
        assert self.found.record is not None
        return replace(self.found, record={**self.found.record, **changes})


RESTING = {
    "uid": UID,
    "state": "STOPPED",
    "message": "",
    "operations": [],
    "wakePending": False,
    "openInterval": None,
    "epoch": 1,
    "serviceName": "ws-u1-1",
    "unsavedChanges": False,
}


@pytest.fixture
def life() -> Life:
    """Provisioned, two files written, stopped across midnight at the end of a month: $0.000750 in three rows."""
    events = chain(
        ("created", "PENDING", 0),
        ("provisioned", "STARTING", 1),
        ("started", "RUNNING", 2),
        ("stop_begun", "STOPPING", 20),
        ("saved", "STOPPING", 21),
        ("stopped", "STOPPED", 31),
    )
    saved = stored(archive(FILES))
    found = Evidence(
        uid=UID,
        record={
            **RESTING,
            "eventSeq": len(events),
            "eventHash": events[-1]["hash"],
            "backup": backup_of(saved),
        },
        user={
            "reservations": {},
            "days": {"2026-03-31": 225, "2026-04-01": 525},
            "months": {"2026-03": 225, "2026-04": 525},
        },
        events=events,
        ledger=dict([row(1, 1, 10, 225), row(2, 10, 20, 250), row(3, 20, 31, 275)]),
        operations={"op-1": {"doneTime": at(2)}, "op-2": {"doneTime": at(31)}},
        services=[Service(name="ws-u1-1", scaling="MANUAL 0", epoch="1", not_after=at(90))],
        objects=[saved],
    )
    return Life(found, story())


@pytest.fixture
def running(life: Life) -> Life:
    """The same one while it runs."""
    events = list(life.found.events[:3])
    found = replace(
        life.record(
            state="RUNNING",
            eventSeq=3,
            eventHash=events[-1]["hash"],
            openInterval={"start": at(1)},
            backup=None,
        ),
        user={"reservations": {ID: {"until": at(60)}}, "days": {}, "months": {}},
        events=events,
        ledger={},
        services=[
            Service(name="ws-u1-1", scaling="AUTOMATIC 1..1", epoch="1", not_after=at(120), instances=["i-1"])
        ],
        running=["process 1 of ws-u1-1"],
        objects=[],
    )
    return Life(found, replace(life.told, rests_in="RUNNING"))


Breach = Callable[[Life], tuple[Evidence, Told]]
