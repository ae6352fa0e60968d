"""Gateways to test: one with a running workstation for all that only look, and new ones for tests that change states."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain.names import WorkstationId
from tests.agent.driver import Signer
from tests.functions.gateway.deployment import Deploy, Deployment, Served
from tests.functions.gateway.user_program import program


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    signer = Signer()
    yield signer
    signer.server.shutdown()
    signer.server.server_close()


@pytest.fixture(scope="session")
def auth_emulator() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9")
        yield


@pytest.fixture
def deploy(signer: Signer, auth_emulator: None, tmp_path: Path) -> Iterator[Deploy]:
    """Start gateways; settings by the names that operators use."""
    started: list[Deployment] = []

    def start(**settings: str) -> Deployment:
        directory = tmp_path / f"deployment-{len(started)}"
        directory.mkdir()
        started.append(Deployment(directory, signer, settings=settings))
        return started[-1]

    yield start
    for deployment in started:
        deployment.close()


@pytest.fixture(scope="module")
def shop(
    signer: Signer, auth_emulator: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A gateway whose workstations' programs serve on one port."""
    deployment = Deployment(tmp_path_factory.mktemp("shop"), signer)
    served = Served(program, deployment.user_port, ws="websockets-sansio")
    yield deployment
    served.stop()
    deployment.close()


@pytest.fixture(scope="module")
def running(shop: Deployment) -> WorkstationId:
    """Ada's, with a web server in it."""
    return shop.provision()


@pytest.fixture
def serve() -> Iterator[Any]:
    """Serve applications until the test ends."""
    started: list[Served] = []

    def start(application: Any, port: int | None = None) -> Served:
        started.append(Served(application, port))
        return started[-1]

    yield start
    for served in started:
        served.stop()
