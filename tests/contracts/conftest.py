"""Both stores of the records: the one in memory, and the one on the real Firestore emulator."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.cloud import firestore

from shared.adapters.firestore.records import FirestoreRecords
from shared.adapters.memory.records import MemoryRecords
from shared.ports import Records

Connect = Callable[..., Any]


@pytest.fixture
def connect(firestore_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes clients of one empty project, of the stock class or of a subclass; they are closed with the test."""
    project, clients = f"demo-{uuid.uuid4().hex}", []

    def make(class_: type = firestore.Client, host: str = firestore_host) -> Any:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
        clients.append(class_(project=project))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.firestore)])
def records(request: pytest.FixtureRequest) -> Records:
    """An empty store."""
    if request.param == "memory":
        return MemoryRecords()
    return FirestoreRecords(request.getfixturevalue("connect")())
