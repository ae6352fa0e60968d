"""`./dev` on machines that lack something, and what it says then."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools.venv import ROOT


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A checkout of `dev` alone, beside a directory of programs that holds no Python."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "cat", "dirname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    return tmp_path


def run(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(machine / "dev"), *arguments],
        env={"PATH": str(machine / "bin")},
        text=True,
        capture_output=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    "command", ["up", "down", "status", "token", "demo", "test", "check", "mission", "doctor"]
)
def test_without_python_every_command_says_what_to_install(bare_machine: Path, command: str) -> None:
    done = run(bare_machine, command)

    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_an_old_python_is_not_taken(bare_machine: Path) -> None:
    """A python3 that fails the version test counts as none."""
    old = bare_machine / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    assert "needs Python 3.11 or newer" in run(bare_machine, "check").stderr


def test_help_needs_no_python(bare_machine: Path) -> None:
    done = run(bare_machine)

    assert done.returncode == 0
    assert "./dev up" in done.stdout


def test_an_unknown_command_is_named_and_the_known_ones_are_listed(bare_machine: Path) -> None:
    done = run(bare_machine, "fly")

    assert done.returncode == 2
    assert "no command 'fly'" in done.stderr
    assert "./dev up" in done.stderr
