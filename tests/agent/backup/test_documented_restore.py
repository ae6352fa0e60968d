"""What docs/backups.md tells people to type works as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from agent.backup.form.bounds import MOST_BYTES, MOST_ENTRIES
from agent.backup.saving.save import save
from agent.backup.stores.directory import DirectoryStore
from agent.backup.walk import DEEPEST, LONGEST_PATH, STAGING_PREFIX
from agent.files.store import UPLOAD_PREFIX

from tests.agent.backup.tree import differences
from tests.needed import need_program

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs" / "backups.md").read_text()


def commands(heading):
    """Return what a section has one type, but for what needs Google."""
    section = PAGE.partition(f"# {heading}\n")[2]
    section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    found = "".join(block for block in blocks if not block.startswith("gcloud"))
    assert found
    return found


@pytest.fixture
def place(tmp_path):
    """A directory with a project, a copy of its backups, and the script."""
    need_program("zstd")
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.py").write_bytes(os.urandom(3_000_000))
    for number in range(300):
        (root / f"file {number}").write_text(str(number))
    first = save(root, DirectoryStore(tmp_path / "copy"), "00000001/00000001-0123abcd")
    (root / "src" / "a.py").write_bytes((root / "src" / "a.py").read_bytes() + b"more")
    save(root, DirectoryStore(tmp_path / "copy"), "00000001/00000002-0123abcd", first.index)
    (tmp_path / "restore.py").write_bytes((REPOSITORY / "workstation" / "restore.py").read_bytes())
    (tmp_path / "bin").mkdir()
    for name in ("python", "python3"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run(place, script):
    environment = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "HOME": str(place / "home"),
        "PYTHONPATH": str(REPOSITORY / "workstation"),
    }
    return subprocess.run(["sh", "-euc", script], cwd=place, env=environment, capture_output=True, text=True)


def test_by_hand(place):
    done = run(place, commands("By hand"))

    assert (done.returncode, done.stderr) == (0, "")
    assert (place / "a.py").read_bytes() == (place / "project" / "src" / "a.py").read_bytes()
    assert len((place / "entries").read_bytes().splitlines()) == 302


def test_with_one_script(place):
    done = run(place, commands("With one script"))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("302 files") + done.stdout.count("301 files") == 3
    assert not differences(place / "project", place / "files")


def test_on_the_command_line(place):
    done = run(place, commands("On the command line"))

    assert (done.returncode, done.stderr) == (0, "")
    assert not differences(place / "project", place / "project-again")


def test_the_limits_are_those_of_the_code():
    limits = PAGE.partition("### Limits\n")[2].partition("\n## ")[0]
    for limit in (
        f"{MOST_ENTRIES:,}",
        f"{MOST_BYTES // 2**30} GiB",
        f"{LONGEST_PATH:,} bytes",
        f"{DEEPEST} dir",
    ):
        assert limit in limits
    for prefix in (STAGING_PREFIX, UPLOAD_PREFIX):
        assert f"`{prefix.decode()}*`" in limits
