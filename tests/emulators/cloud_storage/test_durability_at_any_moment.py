"""Killed at seeded moments while four writers upload, resume, compose and delete under generation preconditions."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators.cloud_storage.kill_rounds import Emulator, kill_rounds


@pytest.mark.timeout(600)
def test_what_was_acknowledged_is_there_and_nothing_half(
    free_port: Callable[[], int], tmp_path: Path
) -> None:
    """Twenty moments; a hundred by `python -m tests.emulators.cloud_storage.kill_rounds`."""
    figures = kill_rounds(Emulator(tmp_path, free_port()), moments=20, seed=7)
    assert figures.lost == []
    assert figures.moments == 20
    assert set(figures.acknowledged) == {"simple", "resumable", "compose", "delete"}
    assert not list(tmp_path.rglob("*.partial"))
