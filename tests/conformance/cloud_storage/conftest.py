"""The stock client of Cloud Storage, and a bucket of this run: of the emulator, or of a real project."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import google.auth
import httpx2
import pytest
import requests
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage

from tests.emulator_processes import (
    API,
    IdentityEmulator,
    Start,
    identity_emulator,
    start_emulator,
)
from tests.emulators.cloud_storage.conftest import SignBlob

__all__ = ["identity_emulator", "start_emulator"]
_EVERYTHING = "https://www.googleapis.com/auth/cloud-platform"


@pytest.fixture(scope="session")
def endpoint(request: pytest.FixtureRequest, real_project: str | None) -> str:
    """Scheme and host of the service."""
    if real_project:
        return "https://storage.googleapis.com"
    identity: IdentityEmulator = request.getfixturevalue("identity_emulator")
    start: Start = request.getfixturevalue("start_emulator")
    return f"http://127.0.0.1:{start('emulators.cloud_storage', '--keys-base', identity.url)}"


@pytest.fixture(scope="session")
def client(endpoint: str, real_project: str | None) -> storage.Client:
    """The stock client, as a user configures it."""
    return storage.Client(real_project) if real_project else emulator_client(endpoint)


@pytest.fixture(scope="session")
def bucket(client: storage.Client, real_location: str) -> Iterator[storage.Bucket]:
    """A bucket that ends with the run; its objects are told apart by their names."""
    made = client.create_bucket(f"conformance-{uuid4().hex[:16]}", location=real_location)
    yield made
    for blob in client.list_blobs(made, versions=True):
        blob.delete()
    made.delete()


@pytest.fixture
def bucket_of_its_own(client: storage.Client, real_location: str) -> Iterator[storage.Bucket]:
    """A bucket for one check, that keeps noncurrent versions and what was deleted for seven days."""
    made = client.bucket(f"conformance-{uuid4().hex[:16]}")
    made.versioning_enabled = True
    made.soft_delete_policy.retention_duration_seconds = 7 * 86_400
    made = client.create_bucket(made, location=real_location)
    yield made
    for blob in client.list_blobs(made, versions=True):
        blob.delete()
    made.delete()


@pytest.fixture
def name() -> str:
    """An object's name that no other check uses."""
    return f"object-{uuid4().hex[:16]}"


@pytest.fixture(scope="session")
def http(real_project: str | None) -> requests.Session:
    """A session for requests that the client does not make."""
    if real_project:
        credentials, _ = google.auth.default(scopes=[_EVERYTHING])
        return AuthorizedSession(credentials)
    session = requests.Session()
    session.trust_env = False
    return session


@pytest.fixture(scope="session")
def signer(request: pytest.FixtureRequest, real_project: str | None) -> Any:
    """Credentials that can sign; against Google, those of the environment must."""
    if real_project:
        credentials, _ = google.auth.default(scopes=[_EVERYTHING])
        if not hasattr(credentials, "sign_bytes"):
            pytest.skip("the credentials of the environment cannot sign: use a service account's")
        return credentials
    identity: IdentityEmulator = request.getfixturevalue("identity_emulator")
    return SignBlob(identity.url, f"http://{identity.metadata[API]}", API)


class OwnEmulator:
    """An emulator whose clock and faults no other check meets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = emulator_client(url)
        self.bucket = self.client.create_bucket(f"own-{uuid4().hex[:12]}", retry=None)

    def advance(self, seconds: float) -> None:
        """Move its clock."""
        self._post("clock:advance", {"seconds": seconds})

    def fault(self, **rule: Any) -> None:
        """Put a fault in force."""
        self._post("faults", rule)

    def _post(self, path: str, document: object) -> None:
        url = f"{self.url}/emulator/v1/{path}"
        httpx2.post(url, json=document, trust_env=False, timeout=30).raise_for_status()


@pytest.fixture(scope="module")
def own_emulator(start_emulator: Start, identity_emulator: IdentityEmulator) -> OwnEmulator:
    """For checks that are marked emulator_only, one for each module of them."""
    port = start_emulator("emulators.cloud_storage", "--keys-base", identity_emulator.url)
    return OwnEmulator(f"http://127.0.0.1:{port}")


def emulator_client(url: str) -> storage.Client:
    """The stock client with nothing but its environment variable set."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", url)
        return storage.Client(project="demo-dormouse")
