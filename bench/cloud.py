"""The emulators that are measured: started as anybody would, and found by what they export."""

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.wire import Wire
from tools.venv import ROOT

PROJECT, REGION = "demo-bench", "europe-west1"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
_START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running set of emulators, by its exported variables."""

    variables: Mapping[str, str]

    @property
    def run(self) -> str:
        return f"http://{self.variables['CLOUD_RUN_EMULATOR_HOST']}"

    @property
    def storage(self) -> str:
        return self.variables["STORAGE_EMULATOR_HOST"]

    @property
    def scheduler(self) -> str:
        return f"http://{self.variables['CLOUD_SCHEDULER_EMULATOR_HOST']}"


@contextmanager
def cloud(directory: Path, *arguments: str) -> Iterator[Cloud]:
    """Cloud Run, Cloud Storage, Cloud Scheduler and identity on free ports; raises RuntimeError with their words."""
    export, said = directory / "cloud.env", directory / "said"
    place = ("--project", PROJECT, "--location", REGION, "--state", str(directory / "state"))
    without = ("--without", "firestore", "--without", "auth")
    command = [
        sys.executable,
        "-m",
        "emulators",
        "--any-free-ports",
        "--export",
        str(export),
        *place,
        *without,
    ]
    with said.open("w") as output:
        process = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not export.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The emulators did not start:\n{said.read_text()}")
            time.sleep(0.05)
        yield Cloud(dict(_exported(export.read_text())))
    finally:
        process.terminate()
        process.wait(60)


def finish(wire: Wire, operation: Mapping[str, object]) -> None:
    """Returns once the operation is done; asked often, so that no client's back-off is measured."""
    while not operation.get("done"):
        time.sleep(0.01)
        operation = wire.json("GET", f"/v2/{operation['name']}")
    if "error" in operation:
        raise RuntimeError(str(operation["error"]))


def _exported(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _, value = shlex.split(line)[1].partition("=")
        yield name, value
