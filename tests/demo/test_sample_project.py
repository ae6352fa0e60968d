"""The sample project is a project that its users would keep: its own tests pass, in the workstation's Python."""

import shlex
import subprocess
from pathlib import Path

from tools.template import build


def test_its_own_tests_pass_with_what_the_python_template_brings(sample: Path) -> None:
    words = shlex.split(build()[0].command)
    path = next(word for word in words if word.startswith("PATH=")).removeprefix("PATH=")

    done = subprocess.run(
        ["/usr/bin/env", "python", "-m", "unittest"],
        cwd=sample,
        env={"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        capture_output=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("OK\n")


def test_it_is_small_and_needs_nothing_to_be_installed(sample: Path) -> None:
    files = {path for path in sample.rglob("*") if path.is_file() and "__pycache__" not in path.parts}

    assert len(files) < 10
    assert not {path.name for path in files} & {"requirements.txt", "pyproject.toml"}
