"""A virtual environment is built once, is whole or is built again, and by one process at a time."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.venv import ROOT, STAMP, Environment, SetupFailed, ensure

BUILD = """
import sys
from pathlib import Path
from tools.venv import Environment, ensure
print(ensure(Environment(Path(sys.argv[1]), Path(sys.argv[2]))))
"""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Not built yet, and wanting no packages, so that no network is needed."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("")
    return Environment(tmp_path / "venv", requirements)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built environment, made once because that takes seconds."""
    directory = tmp_path_factory.mktemp("whole") / "venv"
    requirements = directory.with_name("requirements.txt")
    requirements.write_text("")
    assert ensure(Environment(directory, requirements))
    return directory


@pytest.fixture
def built(environment: Environment, whole: Path) -> Environment:
    shutil.copytree(whole, environment.directory, symlinks=True)
    return environment


def test_the_second_run_finds_nothing_to_do_and_changes_nothing(built: Environment) -> None:
    before = built.python.lstat().st_ino

    assert not ensure(built)
    assert built.python.lstat().st_ino == before


@pytest.mark.parametrize("loss", [STAMP, "bin/python", "../requirements.txt"])
def test_half_or_another_environment_is_built_again(built: Environment, loss: str) -> None:
    """An interrupted build has no stamp, an uninstalled Python leaves no interpreter, a pull brings other packages."""
    leftover = built.directory / "leftover"
    leftover.touch()
    (built.directory / loss).unlink()
    if not built.requirements.exists():
        built.requirements.write_text("# another set\n")

    assert ensure(built)
    assert subprocess.run([built.python, "-c", ""]).returncode == 0
    assert built.is_current()
    assert not leftover.exists()


def test_two_runs_at_once_build_it_once(environment: Environment) -> None:
    command = [sys.executable, "-c", BUILD, str(environment.directory), str(environment.requirements)]

    runs = [subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) for _ in range(2)]
    said = sorted(run.communicate(timeout=120)[0].strip() for run in runs)

    assert said == ["False", "True"]
    assert environment.is_current()


def test_what_cannot_be_installed_is_said_and_leaves_no_stamp(environment: Environment) -> None:
    environment.requirements.write_text("no-such-package-of-dormouse==1.0\n")

    with pytest.raises(SetupFailed, match=r"could not be made from requirements\.txt"):
        ensure(environment)

    assert not (environment.directory / STAMP).exists()
