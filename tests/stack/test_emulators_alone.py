"""`python -m emulators`: any program finds a Google Cloud by the printed environment alone, and all of it ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from emulators.stack.auth import find_firebase
from tests.stack.processes import is_gone, until
from tools.venv import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.firestore]
PROJECT, REGION = "demo-elsewhere", "us-central1"
IMAGE = "registry.test/healthy@sha256:" + "0" * 64
START_SECONDS = 180
SERVER = (
    "import http.server as h, os;"
    "H=type('H',(h.BaseHTTPRequestHandler,),{'do_GET':lambda s:(s.send_response(200),s.end_headers()),"
    "'log_message':lambda *a:None});"
    "h.HTTPServer(('127.0.0.1',int(os.environ['PORT'])),H).serve_forever()"
)

STORAGE = """
from google.cloud import storage
bucket = storage.Client().create_bucket("alone", retry=None)
bucket.blob("a").upload_from_string("kept", retry=None)
print(bucket.blob("a").download_as_text(retry=None))
"""
FIRESTORE = """
from google.cloud import firestore
document = firestore.Client().document("things/one")
document.set({"said": "kept"}, timeout=30)
print(document.get(timeout=30).get("said"))
"""
IDENTITY = """
import google.auth
from google.auth.transport.requests import Request
from google.oauth2.id_token import fetch_id_token
credentials, project = google.auth.default()
credentials.refresh(Request())
assert fetch_id_token(Request(), "https://somebody.example").count(".") == 2
print(project, credentials.service_account_email)
"""
RUN = """
import os, urllib.request
import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
rest = run_v2.ServicesClient(
    transport="rest", credentials=AnonymousCredentials(),
    client_options={"api_endpoint": "http://" + os.environ["CLOUD_RUN_EMULATOR_HOST"]},
)
parent = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/locations/{os.environ['GOOGLE_CLOUD_REGION']}"
service = run_v2.Service(template={"containers": [{"image": os.environ["IMAGE"]}]})
made = rest.create_service(parent=parent, service=service, service_id="alone").result(timeout=60)
print(urllib.request.urlopen(made.uri, timeout=60).status)
channel = grpc.insecure_channel(os.environ["CLOUD_RUN_EMULATOR_GRPC_HOST"])
seen = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel)).get_service(name=made.name, retry=None)
assert seen == made
"""
SCHEDULER = """
import os
from google.auth.credentials import AnonymousCredentials
from google.cloud import scheduler_v1
client = scheduler_v1.CloudSchedulerClient(
    transport="rest", credentials=AnonymousCredentials(),
    client_options={"api_endpoint": "http://" + os.environ["CLOUD_SCHEDULER_EMULATOR_HOST"]},
)
parent = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/locations/{os.environ['GOOGLE_CLOUD_REGION']}"
target = {"uri": "http://127.0.0.1:1/", "http_method": "POST"}
job = {"name": f"{parent}/jobs/alone", "schedule": "0 3 * * *", "time_zone": "Europe/Madrid", "http_target": target}
client.create_job(parent=parent, job=job, retry=None)
print(client.get_job(name=job["name"], retry=None).schedule)
"""
AUTH = """
import firebase_admin
from firebase_admin import auth
firebase_admin.initialize_app()
print(auth.create_user(uid="ada", email="ada@example.com").uid)
"""


@dataclass
class Alone:
    """The command, running; `export` is the file that it was told to write."""

    process: "subprocess.Popen[str]"
    export: Path
    messages: Path

    def run(self, program: str) -> str:
        """What a Python program prints that knows the exported variables and nothing else."""
        script = '. "$1" && exec "$2" -c "$3"'
        done = subprocess.run(
            ["sh", "-c", script, "sh", str(self.export), sys.executable, program],
            env={"PATH": os.environ["PATH"], "IMAGE": IMAGE},
            text=True,
            capture_output=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


class Launcher:
    """Starts the command, each time in a directory of its own, and ends what a test left running."""

    def __init__(self, directories: pytest.TempPathFactory) -> None:
        self._directories = directories
        self._started: list[subprocess.Popen[str]] = []

    def launch(self, *arguments: str) -> Alone:
        directory = self._directories.mktemp("alone")
        export, messages = directory / "cloud.env", directory / "messages"
        command = [sys.executable, "-m", "emulators", "--export", str(export), *arguments]
        with messages.open("w") as said:
            process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=said)
        self._started.append(process)
        return Alone(process, export, messages)

    def start(self, *arguments: str) -> Alone:
        """On free ports, once it is ready."""
        alone = self.launch("--any-free-ports", *arguments)

        def ready() -> bool:
            assert alone.process.poll() is None, alone.messages.read_text()
            return alone.export.exists()

        until(ready, "the exported variables", START_SECONDS)
        return alone

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=60)


def family(process: "subprocess.Popen[str]") -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    starts = Launcher(tmp_path_factory)
    yield starts
    starts.end()


@pytest.fixture(scope="module")
def alone(launcher: Launcher) -> Alone:
    """Everything, once for all tests here."""
    image = f'{IMAGE}={sys.executable} -c "{SERVER}"'
    place = ("--project", PROJECT, "--location", REGION)
    return launcher.start(*place, "--runtime", "process", "--image", image)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        pytest.param(STORAGE, "kept", id="storage"),
        pytest.param(FIRESTORE, "kept", id="firestore"),
        pytest.param(IDENTITY, f"{PROJECT} emulator@{PROJECT}.iam.gserviceaccount.com", id="identity"),
        pytest.param(RUN, "200", id="run"),
        pytest.param(SCHEDULER, "0 3 * * *", id="scheduler"),
    ],
)
def test_a_stock_client_finds_its_emulator_by_the_environment(alone: Alone, program: str, said: str) -> None:
    assert alone.run(program) == said


def test_the_auth_emulator_is_there_or_its_absence_is_said(alone: Alone) -> None:
    if find_firebase() is None:
        assert "No Auth emulator" in alone.messages.read_text()
        assert "FIREBASE_AUTH_EMULATOR_HOST" not in alone.export.read_text()
    else:
        assert alone.run(AUTH) == "ada"


def test_it_prints_what_it_exports(launcher: Launcher) -> None:
    small = launcher.start("--without", "firestore", "--without", "auth", "--without", "cloud_scheduler")
    exported = small.export.read_text()
    small.process.terminate()

    assert small.process.wait(60) == 0
    assert small.process.stdout is not None
    assert small.process.stdout.read() == exported
    assert all(line.startswith("export ") for line in exported.splitlines())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_it(launcher: Launcher, number: signal.Signals) -> None:
    small = launcher.start("--without", "firestore", "--without", "auth")
    everybody = family(small.process)
    assert len(everybody) >= 4

    small.process.send_signal(number)

    assert small.process.wait(60) == 0
    until(lambda: all(is_gone(pid) for pid in everybody), "an end of all processes")
    assert not small.export.exists()


def test_its_own_sudden_death_leaves_nothing_running(launcher: Launcher) -> None:
    small = launcher.start("--without", "firestore", "--without", "auth")
    everybody = family(small.process)

    small.process.kill()

    until(lambda: all(is_gone(pid) for pid in everybody), "an end of all processes", 60)


def test_a_taken_port_is_named_where_no_other_may_be_taken(launcher: Launcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        refused = launcher.launch("--ports-from", str(port))

        assert refused.process.wait(60) == 1
    assert f"Port {port} for cloud_run is taken" in refused.messages.read_text()
