"""A real emulator process for the tests, with either runtime, and a service id for each test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.emulators.cloud_run.driver import Emulator, running
from tests.needed import need_engine


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest) -> str:
    """How instances run: as processes, unless a test says otherwise by `on_both` or `on_docker`."""
    chosen = getattr(request, "param", "process")
    if chosen == "docker":
        need_engine()
    return chosen


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, runtime: str) -> Iterator[Emulator]:
    """One emulator for all tests that do not need flags of their own; each test has its own services."""
    state = tmp_path_factory.mktemp("cloud-run")
    with running(state, "--grace", "1", "--restart-delay", "0.05", runtime=runtime) as started:
        yield started


@pytest.fixture(scope="session")
def engine() -> None:
    """The machine's container engine."""
    need_engine()


@pytest.fixture
def service_id(request: pytest.FixtureRequest) -> str:
    """A service id that no other test uses."""
    return f"ws-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]}"
