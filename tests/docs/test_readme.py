"""The README's commands, run as a newcomer would, in a copy of the tree."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
ELSEWHERE = {
    "./dev test": "what runs this test",
    "./dev demo": "tests/demo",
    "./dev kill --rounds 2": "tests/proof",
    "./dev emulators --export cloud.env": "tests/stack/test_emulators_alone.py",
}


def commands() -> list[str]:
    return [line for block in BLOCKS for line in block.strip().splitlines()]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """The tree as it is, with the environments that are built already."""
    copy = tmp_path / "dormouse"
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        text=True,
        capture_output=True,
    ).stdout.splitlines()
    for name in filter(lambda name: (ROOT / name).is_file(), names):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    yield copy
    subprocess.run(["./dev", "down"], cwd=copy, check=False, capture_output=True, timeout=120)


@pytest.mark.stack
@pytest.mark.firestore
@pytest.mark.timeout(600)
def test_up_and_the_commands_by_hand(tree: Path) -> None:
    up = subprocess.run(
        ["./dev", "up", "--detach", "--free-ports"], cwd=tree, text=True, capture_output=True, timeout=400
    )
    assert up.returncode == 0, up.stdout + up.stderr
    assert "is RUNNING at $0.0912 an hour" in up.stdout
    api = json.loads((tree / ".dormouse" / "stack.json").read_text())["endpoints"]["api"]
    (by_hand,) = [block for block in BLOCKS if "curl" in block]

    done = subprocess.run(
        ["sh", "-euc", by_hand.replace("http://127.0.0.1:8081", api)],
        cwd=tree,
        text=True,
        capture_output=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"state":"RUNNING"' in done.stdout
    assert '"error":{' not in done.stdout
    assert not (tree / ".dormouse" / "stack.json").exists(), "./dev down has ended it"


def test_every_command_is_run_by_some_test() -> None:
    (by_hand,) = [block for block in BLOCKS if "curl" in block]
    run_here = {"./dev up", *by_hand.strip().splitlines()}

    assert set(commands()) - run_here == set(ELSEWHERE)


def test_every_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for link in re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
