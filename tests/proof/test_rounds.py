"""Two rounds with real kills against whole local clouds, as an operator runs them, and the page that they leave."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.venv import ROOT

ROUNDS = ("8", "10")
"""Of seed 1: the API and identity die within a stop and a delete."""


@pytest.mark.stack
@pytest.mark.firestore
@pytest.mark.timeout(900)
def test_two_rounds_end_clean_and_leave_a_report(tmp_path: Path) -> None:
    page = tmp_path / "proof.md"
    only = [argument for number in ROUNDS for argument in ("--only", number)]

    run = subprocess.run(
        [sys.executable, "-m", "proof", "--seed", "1", *only, "--lanes", "1", "--report", str(page)],
        cwd=ROOT,
        text=True,
        capture_output=True,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 of 2 rounds ended clean" in run.stdout
    text = page.read_text()
    assert "| ended clean | 2 |" in text
    assert "| api |" in text
    assert str(ROOT) not in text
