"""One client for a process and a database, made late, and never one that another process made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.adapters.firestore.client import client_for
from shared.adapters.firestore.records import FirestoreRecords
from tests.builders import ADA

pytestmark = pytest.mark.firestore

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _emulator(firestore_host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)


def test_the_same_database_has_the_same_client() -> None:
    assert client_for("demo-one") is client_for("demo-one")
    assert client_for("demo-one") is not client_for("demo-two")
    assert client_for("demo-one") is not client_for("demo-one", "other")


def test_it_works() -> None:
    assert FirestoreRecords(client_for("demo-one")).user(ADA).version is None


FORKS = """
import os, sys
from shared.adapters.firestore.client import client_for
from shared.adapters.firestore.records import FirestoreRecords
mine = client_for("demo-fork")
child = os.fork()
if child == 0:
    other = client_for("demo-fork")
    assert other is not mine
    FirestoreRecords(other).user("ada")
    os._exit(0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_process_makes_its_own_and_it_works() -> None:
    """A channel does not survive a fork: the child's first call would hang."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS], cwd=ROOT, env=dict(os.environ), timeout=60, check=False
    )
    assert done.returncode == 0


def test_importing_makes_none() -> None:
    """Not even where there is neither a project nor an emulator nor a credential."""
    bare = {"PATH": os.environ["PATH"]}
    command = [
        sys.executable,
        "-c",
        "import shared.adapters.firestore.client, shared.adapters.firestore.records",
    ]
    assert subprocess.run(command, cwd=ROOT, env=bare, timeout=60, check=False).returncode == 0
