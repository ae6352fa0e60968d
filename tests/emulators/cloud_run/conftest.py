"""A real emulator process for the tests, and a service id for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.emulators.cloud_run.driver import Emulator, running


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for all tests that do not need flags of their own; each test has its own services."""
    with running(tmp_path_factory.mktemp("cloud-run"), "--grace", "1", "--restart-delay", "0.05") as started:
        yield started


@pytest.fixture
def service_id(request: pytest.FixtureRequest) -> str:
    """A service id that no other test uses."""
    return f"ws-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]}"
