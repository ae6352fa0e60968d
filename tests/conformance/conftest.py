"""Whom do the conformance checks ask: the emulators of this run, or Google itself by --real-project?

A check that moves the emulator's clock, injects a fault or reads its meter is marked `@pytest.mark.emulator_only`.
"""

import os
from functools import partial

import google.auth
import google.auth.transport.requests
import pytest
from google.auth.exceptions import GoogleAuthError

_PATIENCE_SECONDS = 10
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_STAND_INS = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "STORAGE_EMULATOR_HOST", "CLOUD_RUN_EMULATOR_HOST")


@pytest.fixture(scope="session")
def real_project(request: pytest.FixtureRequest) -> str | None:
    """The project at Google that the checks are run against; None where they ask the emulators."""
    project: str | None = request.config.getoption("real_project")
    return project


@pytest.fixture(scope="session")
def real_location(request: pytest.FixtureRequest) -> str:
    """The region of that project in which they create what they need."""
    return str(request.config.getoption("real_location"))


def pytest_configure(config: pytest.Config) -> None:
    """Refuses at once a run against Google that could not reach it."""
    asks_google = config.getoption("real_project") and not config.option.collectonly
    if asks_google and not hasattr(config, "workerinput") and (why := _why_not_google()):
        raise pytest.UsageError(f"--real-project: {why}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Against Google, what only an emulator has is left out by name."""
    if not config.getoption("real_project"):
        return
    only_here = pytest.mark.skip(reason="needs the emulator's clock, faults or meter; Google has none")
    for item in items:
        if item.get_closest_marker("emulator_only"):
            item.add_marker(only_here)


def _why_not_google() -> str:
    """What is missing to ask Google; empty when a token could be had."""
    if aside := [name for name in _STAND_INS if name in os.environ]:
        return f"{', '.join(aside)} would send the clients to an emulator; unset it first."
    try:
        credentials, _ = google.auth.default(scopes=_SCOPES)
        asked = partial(google.auth.transport.requests.Request(), timeout=_PATIENCE_SECONDS)
        credentials.refresh(asked)
    except GoogleAuthError as failure:
        return f"no credentials. {failure} Run: gcloud auth application-default login"
    return ""
