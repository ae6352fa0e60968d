"""An empty workspace and an empty store for each test."""

import pytest

from tests.agent.backup.keeping import KeepingStore


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "workspace"
    root.mkdir()
    return root


@pytest.fixture
def keeping():
    """A store that keeps all that is put, and can be told to fail."""
    return KeepingStore()
