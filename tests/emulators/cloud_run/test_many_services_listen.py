"""Every service has a socket of its own: as many as this user may open, and a word about what is missing beyond."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.api_core import exceptions

from tests.emulators.cloud_run.driver import http, running

_OPEN_FILES = resource.RLIMIT_NOFILE
# Enough for an emulator, and less than it wants to have left when a service begins to listen.
_FEW = 100


@contextmanager
def soft_limit(files: int) -> Iterator[None]:
    """What this process, and what it starts, may open unless it asks for more."""
    before = resource.getrlimit(_OPEN_FILES)
    resource.setrlimit(_OPEN_FILES, (files, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(_OPEN_FILES, before)


def test_the_emulator_takes_what_its_user_is_granted(tmp_path: Path) -> None:
    granted = resource.getrlimit(_OPEN_FILES)[1]
    with soft_limit(1000), running(tmp_path) as emulator:
        assert resource.prlimit(emulator.process.pid, _OPEN_FILES) == (granted, granted)


def test_a_service_for_which_no_socket_is_left_is_refused_and_the_others_stay(tmp_path: Path) -> None:
    with running(tmp_path) as emulator:
        kept = emulator.create("kept")
        soft, hard = resource.prlimit(emulator.process.pid, _OPEN_FILES)
        resource.prlimit(emulator.process.pid, _OPEN_FILES, (_FEW, hard))
        with pytest.raises(exceptions.TooManyRequests, match="ulimit -n"):
            emulator.create("surplus")
        with pytest.raises(exceptions.NotFound):
            emulator.get("surplus")
        assert http.get(kept.uri).status_code == 503
        resource.prlimit(emulator.process.pid, _OPEN_FILES, (soft, hard))
        emulator.create("surplus")
