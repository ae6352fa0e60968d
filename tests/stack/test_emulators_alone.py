"""`python -m emulators`: any program finds a Google Cloud by the printed environment alone, and all of it ends."""

import os
import re
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
import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import scheduler_v1
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import CloudSchedulerGrpcTransport
client = scheduler_v1.CloudSchedulerClient(
    transport="rest", credentials=AnonymousCredentials(),
    client_options={"api_endpoint": "http://" + os.environ["CLOUD_SCHEDULER_EMULATOR_HOST"]},
)
parent = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/locations/{os.environ['GOOGLE_CLOUD_REGION']}"
target = {"uri": "http://127.0.0.1:1/", "http_method": "POST"}
job = {"name": f"{parent}/jobs/alone", "schedule": "0 3 * * *", "time_zone": "Europe/Madrid", "http_target": target}
made = client.create_job(parent=parent, job=job, retry=None)
channel = grpc.insecure_channel(os.environ["CLOUD_SCHEDULER_EMULATOR_GRPC_HOST"])
other = scheduler_v1.CloudSchedulerClient(transport=CloudSchedulerGrpcTransport(channel=channel))
assert other.get_job(name=made.name, retry=None) == made
print(made.schedule)
"""
SIGNED = """
import base64, datetime, json, os, urllib.request
import google.auth, google.auth.credentials
from google.auth.transport.requests import Request
from google.cloud import storage
source, _ = google.auth.default()
source.refresh(Request())
class ByIam(google.auth.credentials.AnonymousCredentials, google.auth.credentials.Signing):
    signer, signer_email = None, source.service_account_email
    def sign_bytes(self, message):
        url = f"{os.environ['IAM_CREDENTIALS_ENDPOINT']}/v1/projects/-/serviceAccounts/{self.signer_email}:signBlob"
        payload = json.dumps({"payload": base64.b64encode(message).decode()}).encode()
        headers = {"Authorization": f"Bearer {source.token}", "Content-Type": "application/json"}
        answer = urllib.request.urlopen(urllib.request.Request(url, payload, headers))
        return base64.b64decode(json.load(answer)["signedBlob"])
blob = storage.Client().create_bucket("signed", retry=None).blob("a")
blob.upload_from_string("kept", retry=None)
url = blob.generate_signed_url(
    datetime.timedelta(minutes=5), version="v4", credentials=ByIam(), api_access_endpoint=os.environ["STORAGE_EMULATOR_HOST"]
)
print(urllib.request.urlopen(url).read().decode())
"""
DOWNSCOPED = """
import os
import google.auth, requests
from google.api_core import exceptions
from google.auth import downscoped
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import storage
from requests.adapters import HTTPAdapter
class Local(HTTPAdapter):
    def send(self, request, *arguments, **options):
        request.url = request.url.replace("https://sts.googleapis.com", os.environ["STS_ENDPOINT"])
        return super().send(request, *arguments, **options)
session = requests.Session()
session.mount("https://sts.googleapis.com", Local())
name = storage.Client().create_bucket("narrow", retry=None).name
rule = downscoped.AccessBoundaryRule(
    f"//storage.googleapis.com/projects/_/buckets/{name}", ["inRole:roles/storage.objectCreator"]
)
source, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
narrow = downscoped.Credentials(source, downscoped.CredentialAccessBoundary([rule]))
http = AuthorizedSession(narrow, auth_request=Request(session))
blob = storage.Client(project, credentials=narrow, _http=http).bucket(name).blob("a")
blob.upload_from_string("x", retry=None)
try:
    blob.download_as_bytes(retry=None)
except exceptions.Forbidden:
    print("written, not read")
"""
ID_TOKEN = """
import os
from google.auth.transport.requests import Request
from google.oauth2 import id_token
token = id_token.fetch_id_token(Request(), "https://somebody.example")
claims = id_token.verify_token(token, Request(), "https://somebody.example", os.environ["GOOGLE_CERTS_URL"])
print(claims["email"])
"""
CONTROL = """
import json, os, urllib.request
control = f"http://{os.environ['IDENTITY_EMULATOR_CONTROL_HOST']}/emulator/v1"
def post(path, document):
    return urllib.request.urlopen(urllib.request.Request(f"{control}/{path}", json.dumps(document).encode()))
before = json.load(urllib.request.urlopen(f"{control}/clock"))["aheadSeconds"]
post("clock:advance", {"seconds": 60})
print(round(json.load(urllib.request.urlopen(f"{control}/clock"))["aheadSeconds"] - before))
"""
AUTH = """
import json, os, urllib.request
import firebase_admin
from firebase_admin import auth
firebase_admin.initialize_app()
auth.create_user(uid="ada", email="ada@example.com", password="a-secret")
url = f"http://{os.environ['FIREBASE_AUTH_EMULATOR_HOST']}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=k"
said = {"email": "ada@example.com", "password": "a-secret", "returnSecureToken": True}
headers = {"Content-Type": "application/json"}
answer = urllib.request.urlopen(urllib.request.Request(url, json.dumps(said).encode(), headers))
print(auth.verify_id_token(json.load(answer)["idToken"], check_revoked=True, clock_skew_seconds=10)["uid"])
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
        pytest.param(ID_TOKEN, f"emulator@{PROJECT}.iam.gserviceaccount.com", id="id-token"),
        pytest.param(SIGNED, "kept", id="signed-url"),
        pytest.param(DOWNSCOPED, "written, not read", id="downscoped"),
        pytest.param(CONTROL, "60", id="identity-clock"),
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


def test_every_exported_variable_is_in_the_manual(alone: Alone) -> None:
    """And the manual names none that is not exported, but for the Auth emulator's where that is not here."""
    exported = set(re.findall(r"^export (\w+)=", alone.export.read_text(), re.MULTILINE))
    manual = (ROOT / "docs" / "emulators" / "README.md").read_text()
    rows = re.findall(r"^\| (`[A-Z_`, ]+) \|", manual, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told - {"FIREBASE_AUTH_EMULATOR_HOST"} == exported - {"FIREBASE_AUTH_EMULATOR_HOST"}


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
