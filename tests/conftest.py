"""What every test can have: the record of its outcome, and one Firestore emulator for the whole run."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulators.stack import LocalCloud, Options
from emulators.stack.probe import answers

pytest_plugins = ["tools.mission_plugin"]


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest) -> str:
    """What workstations run on in this run of the tests."""
    return str(request.config.getoption("runtime"))


@pytest.fixture(scope="session")
def firestore_host(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """host:port of a real Firestore emulator; take a project id of your own. One serves all xdist workers."""
    if given := os.environ.get("FIRESTORE_EMULATOR_HOST"):
        if not answers(f"http://{given}/"):
            pytest.fail(
                f"FIRESTORE_EMULATOR_HOST names {given}, where nothing answers; unset it and try again."
            )
        yield given
        return
    run = tmp_path_factory.getbasetemp()
    shared = run / "firestore" if worker_id == "master" else run.parent / "firestore"
    with _shared_firestore(shared) as host:
        yield host


@contextmanager
def _shared_firestore(shared: Path) -> Iterator[str]:
    """The first worker that comes starts it, and waits for all others before it stops it."""
    shared.mkdir(exist_ok=True)
    cloud = None
    with _users(shared) as users:
        if not users:
            options = Options(
                state=shared / "state", only=frozenset({"firestore"}), any_free_ports=True, ephemeral=True
            )
            cloud = LocalCloud(options, say=_ignore).start()
            users["host"] = cloud.addresses.host("firestore")
            users["count"] = 0
        users["count"] += 1
        host = str(users["host"])
    try:
        yield host
    finally:
        with _users(shared) as users:
            users["count"] -= 1
        if cloud is not None:
            _stop_after_the_last_user(shared, cloud)


@contextmanager
def _users(shared: Path) -> Iterator[dict]:
    """The count of users, held for one change."""
    with (shared / "users.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users = json.loads(file.read() or "{}")
        yield users
        file.seek(0)
        file.truncate()
        file.write(json.dumps(users))


def _stop_after_the_last_user(shared: Path, cloud: LocalCloud) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        with _users(shared) as users:
            if users["count"] == 0:
                cloud.stop()
                users.clear()
                return
        time.sleep(0.1)
    cloud.stop()


def _ignore(_text: str) -> None:
    """A test run has a report of its own."""
