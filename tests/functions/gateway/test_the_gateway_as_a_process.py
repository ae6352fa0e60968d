"""As it is deployed: `uvicorn functions.gateway:app`, with nothing but its settings."""

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest

from tests.agent.driver import eventually, free_port
from tests.functions.gateway.deployment import ROOT, environ


@pytest.fixture
def gateway() -> Iterator[httpx2.Client]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # Nothing listens at these: whatever is opened before it is needed would fail or hang.
    nowhere = f"127.0.0.1:{free_port()}"
    emulators = {"FIRESTORE_EMULATOR_HOST": nowhere, "FIREBASE_AUTH_EMULATOR_HOST": nowhere}
    environment = {"PATH": os.environ["PATH"], **environ(url, "http://" + nowhere), **emulators}
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "functions.gateway:app",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with httpx2.Client(base_url=url, trust_env=False, timeout=10) as client:

        def answers() -> bool:
            assert process.poll() is None, process.stderr and process.stderr.read()
            try:
                return client.get("/healthz").status_code == 200
            except httpx2.TransportError:
                return False

        eventually(answers, 30)
        yield client
    process.terminate()
    assert process.wait(10) in (0, -15)
    assert process.stderr
    process.stderr.close()


def test_it_is_healthy_without_opening_anything(gateway: httpx2.Client) -> None:
    assert gateway.get("/healthz").json() == {"status": "healthy"}


def test_what_it_does_not_have_is_said_as_the_api_says_it(gateway: httpx2.Client) -> None:
    answer = gateway.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"
    assert gateway.get("/w/ws-aaaaaaaaaaaaaaaaaaaa/").status_code == 401
