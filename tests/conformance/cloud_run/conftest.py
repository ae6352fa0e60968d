"""Whom do the checks of Cloud Run ask? One emulator for the whole run, over each transport that the stock client has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import grpc
import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

from tests.conformance.cloud_run.services import GOOGLES_IMAGE, Services
from tests.emulators.cloud_run.driver import Emulator, free_port, running

_PROJECT, _LOCATION = "demo-dormouse", "europe-west1"


@pytest.fixture(scope="session")
def grpc_port() -> int:
    """Where the emulator listens for gRPC."""
    return free_port()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, grpc_port: int) -> Iterator[Emulator]:
    """The emulator that all checks share; each has services of its own."""
    state = tmp_path_factory.mktemp("cloud-run")
    flags = ("--grace", "1", "--restart-delay", "0.05", "--grpc-port", str(grpc_port))
    with running(state, *flags) as started:
        yield started


@pytest.fixture(scope="session", params=["rest", "grpc"])
def services(request: pytest.FixtureRequest, real_project: str | None, real_location: str) -> Services:
    """Services, created, read and changed by the stock client."""
    if real_project is not None:
        client = run_v2.ServicesClient(transport=request.param)
        return Services(client, f"projects/{real_project}/locations/{real_location}", GOOGLES_IMAGE)
    emulator: Emulator = request.getfixturevalue("emulator")
    port = request.getfixturevalue("grpc_port")
    parent = f"projects/{_PROJECT}/locations/{_LOCATION}"
    return Services(_client(request.param, emulator, port), parent, emulator.image)


@pytest.fixture
def service_id(services: Services) -> Iterator[str]:
    """A service id that no other check uses; what was made under it is deleted."""
    chosen = f"check-{uuid.uuid4().hex[:12]}"
    yield chosen
    services.forget(chosen)


def _client(transport: str, emulator: Emulator, grpc_port: int) -> run_v2.ServicesClient:
    if transport == "grpc":
        channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")
        return run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
    return run_v2.ServicesClient(
        transport="rest",
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=emulator.url),
    )
