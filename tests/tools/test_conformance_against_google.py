"""A run of the checks against Google that cannot reach it says so at once."""

import os
import subprocess
import sys

import pytest

from tools.venv import ROOT


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"STORAGE_EMULATOR_HOST": "http://127.0.0.1:1"}, "STORAGE_EMULATOR_HOST would send the clients"),
        ({"GOOGLE_APPLICATION_CREDENTIALS": "nowhere.json"}, "gcloud auth application-default login"),
    ],
)
def test_it_names_what_is_missing(variables: dict[str, str], said: str) -> None:
    environment = {"PATH": os.environ["PATH"], **variables}
    command = [sys.executable, "-m", "pytest", "-q", "tests/conformance", "--real-project", "demo-nobody"]

    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=120)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert said in done.stderr
