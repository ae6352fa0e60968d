"""Keys outlive a restart; it listens on loopback only, under loopback names; it explains itself."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from google.auth.transport.requests import Request
from google.oauth2 import id_token

API = "dormouse-api@demo-dormouse.iam.gserviceaccount.com"
Flags = Callable[[Path, dict[str, int]], list[str]]


def test_tokens_outlive_a_restart(
    processes: Any, free_port: Callable[[], int], identity_flags: Flags, tmp_path: Path
) -> None:
    """An ID token and an access token from before are valid after; SIGTERM ends it with success."""
    port, ports = free_port(), {API: free_port()}
    first = processes.start("emulators.identity", port, *identity_flags(tmp_path, ports))
    account = f"http://127.0.0.1:{ports[API]}/computeMetadata/v1/instance/service-accounts/default"
    flavor = {"Metadata-Flavor": "Google"}
    identity_token = httpx2.get(f"{account}/identity?audience=a", headers=flavor, trust_env=False).text
    access = httpx2.get(f"{account}/token", headers=flavor, trust_env=False).json()["access_token"]
    assert processes.stop(first) == 0

    processes.start("emulators.identity", port, *identity_flags(tmp_path, ports))
    certs = f"http://127.0.0.1:{port}/oauth2/v3/certs"
    assert id_token.verify_token(identity_token, Request(), "a", certs)["email"] == API
    info = httpx2.get(f"http://127.0.0.1:{port}/tokeninfo", params={"access_token": access}, trust_env=False)
    assert info.json()["email"] == API


def test_keys_are_readable_by_their_owner_alone(identity: Any) -> None:
    assert {path.stat().st_mode & 0o777 for path in identity.state.iterdir()} == {0o600}


def test_it_listens_on_loopback_only(identity: Any) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(identity.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("path", ["/", "/oauth2/v3/certs", f"/robot/v1/metadata/x509/{API}"])
def test_a_rebound_name_is_refused(identity: Any, path: str) -> None:
    answer = httpx2.get(f"{identity.url}{path}", headers={"Host": "rebound.example"}, trust_env=False)
    assert answer.status_code == 403


def test_keys_may_be_cached(identity: Any) -> None:
    """Verifiers fetch them once, as they do Google's."""
    answer = httpx2.get(f"{identity.url}/oauth2/v3/certs", trust_env=False)
    assert "max-age=" in answer.headers["Cache-Control"]


def test_a_junk_access_token_is_an_invalid_token(identity: Any) -> None:
    answer = httpx2.get(f"{identity.url}/tokeninfo", params={"access_token": "junk"}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_token")


def test_help_explains_and_bad_flags_say_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emulators.identity"]
    explained = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert "GCE_METADATA_HOST" in explained.stdout
    flags = ["--port", "1", "--state", str(tmp_path), "--project", "p", "--account", "me=2"]
    refused = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "'me' is not a service account" in refused.stderr
