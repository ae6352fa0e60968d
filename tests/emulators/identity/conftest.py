"""A running identity emulator with three accounts."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

DOMAIN = "demo-dormouse.iam.gserviceaccount.com"
API, SWEEP, RUNTIME = (f"dormouse-{name}@{DOMAIN}" for name in ("api", "sweep", "runtime"))
FLAVOR = {"Metadata-Flavor": "Google"}


@dataclass(frozen=True)
class Identity:
    """Where the emulator listens, and how to ask it."""

    port: int
    metadata_ports: dict[str, int]
    state: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metadata(self, email: str, path: str, **params: str) -> httpx2.Response:
        """Ask the metadata server of an account."""
        url = f"http://127.0.0.1:{self.metadata_ports[email]}/computeMetadata/v1/{path}"
        return httpx2.get(url, params=params, headers=FLAVOR, trust_env=False)

    def access_token(self, email: str, **params: str) -> str:
        path = "instance/service-accounts/default/token"
        return str(self.metadata(email, path, **params).json()["access_token"])

    def id_token(self, email: str, audience: str) -> str:
        path = "instance/service-accounts/default/identity"
        return self.metadata(email, path, audience=audience, format="full").text

    def python_as(self, email: str, program: str) -> str:
        """What a Python program prints that runs as the account, with the stock libraries."""
        address = f"127.0.0.1:{self.metadata_ports[email]}"
        inherited = {name: os.environ[name] for name in ("PATH",)}
        env = inherited | {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address, "NO_PROXY": "127.0.0.1"}
        run = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, timeout=30)
        assert run.returncode == 0, run.stderr.decode()
        return run.stdout.decode().strip()


@pytest.fixture(scope="module")
def identity(
    processes: Any, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Identity:
    """The emulator, for a test module."""
    state = tmp_path_factory.mktemp("identity")
    ports = {email: free_port() for email in (API, SWEEP, RUNTIME)}
    port = free_port()
    return Identity(port, ports, state, processes.start("emulators.identity", port, *flags(state, ports)))


def flags(state: Path, ports: dict[str, int]) -> list[str]:
    """The command line after the port."""
    accounts = [part for email, port in ports.items() for part in ("--account", f"{email}={port}")]
    return ["--state", str(state), "--project", "demo-dormouse", *accounts]


@pytest.fixture(scope="session")
def identity_flags() -> Callable[[Path, dict[str, int]], list[str]]:
    """Gives the command line for another emulator."""
    return flags
