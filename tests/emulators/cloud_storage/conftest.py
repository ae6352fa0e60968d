"""A running Cloud Storage emulator, the stock client for it, and an account that signs URLs by signBlob."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from google.auth.credentials import AnonymousCredentials, Signing
from google.cloud import storage

API, RUNTIME = (f"dormouse-{name}@demo-dormouse.iam.gserviceaccount.com" for name in ("api", "runtime"))


class SignBlob(AnonymousCredentials, Signing):
    """Signs as an account by the IAM endpoint: what the product does on Cloud Run too."""

    def __init__(self, iam: str, metadata: str, email: str) -> None:
        super().__init__()
        self._iam, self._metadata, self._email = iam, metadata, email

    @property
    def signer_email(self) -> str:
        return self._email

    @property
    def signer(self) -> Any:
        raise AttributeError("there is no key at hand")

    def sign_bytes(self, message: bytes) -> bytes:
        account = f"{self._metadata}/computeMetadata/v1/instance/service-accounts/default"
        flavor = {"Metadata-Flavor": "Google"}
        token = httpx2.get(f"{account}/token", headers=flavor, trust_env=False).json()["access_token"]
        answer = httpx2.post(
            f"{self._iam}/v1/projects/-/serviceAccounts/{self._email}:signBlob",
            json={"payload": b64encode(message).decode()},
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
        )
        return b64decode(answer.raise_for_status().json()["signedBlob"])


@dataclass(frozen=True)
class Accounts:
    """The identity emulator, with one who may sign and one who may not."""

    url: str
    signer: SignBlob
    stranger: SignBlob


@pytest.fixture(scope="module")
def accounts(
    processes: Any, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Accounts:
    """The accounts of a test module."""
    port, ports = free_port(), {API: free_port(), RUNTIME: free_port()}
    flags = [part for email, metadata in ports.items() for part in ("--account", f"{email}={metadata}")]
    state = str(tmp_path_factory.mktemp("identity"))
    processes.start("emulators.identity", port, "--state", state, "--project", "demo-dormouse", *flags)
    url = f"http://127.0.0.1:{port}"
    signer, stranger = (SignBlob(url, f"http://127.0.0.1:{ports[email]}", email) for email in (API, RUNTIME))
    return Accounts(url, signer, stranger)


@pytest.fixture(scope="module")
def endpoint(processes: Any, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of an emulator that verifies no signed URLs."""
    port = free_port()
    state = str(tmp_path_factory.mktemp("storage"))
    processes.start("emulators.cloud_storage", port, "--state", state, "--project", "demo-dormouse")
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def connect() -> Callable[[str], storage.Client]:
    """Gives the stock client, as a user configures it: by the environment alone."""

    def make(url: str) -> storage.Client:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("STORAGE_EMULATOR_HOST", url)
            return storage.Client(project="demo-dormouse")

    return make


@pytest.fixture(scope="module")
def client(endpoint: str, connect: Callable[[str], storage.Client]) -> storage.Client:
    """The stock client of the emulator."""
    return connect(endpoint)


@pytest.fixture
def bucket(client: storage.Client) -> storage.Bucket:
    """A bucket of the test's own."""
    return client.create_bucket(f"test-{uuid4().hex[:12]}", retry=None)


@pytest.fixture
def versioned(client: storage.Client) -> storage.Bucket:
    """A bucket that keeps noncurrent versions, and nothing that was deleted for good."""
    bucket = client.bucket(f"versioned-{uuid4().hex[:12]}")
    bucket.versioning_enabled = True
    bucket.soft_delete_policy.retention_duration_seconds = 0
    return client.create_bucket(bucket, retry=None)
