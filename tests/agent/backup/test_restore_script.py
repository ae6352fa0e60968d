"""workstation/restore.py alone: no package, no site, no code of ours but that one file, and the program zstd."""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from agent.backup.saving.save import save
from agent.backup.stores.directory import DirectoryStore

from tests.agent.backup.tree import differences
from tests.agent.workspaces import furnish
from tests.needed import need_program

SCRIPT = Path(__file__).parents[3] / "workstation" / "restore.py"
FIRST, SECOND = "00000001/00000001-0123abcd", "00000001/00000002-0123abcd"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "workspace"
    root.mkdir()
    furnish(root)
    return root


@pytest.fixture
def objects(tmp_path, root):
    """Two backups; the second one knows a file more."""
    objects = tmp_path / "copy" / "project" / "workstation"
    first = save(root, DirectoryStore(objects), FIRST)
    shutil.copytree(root, tmp_path / "first", symlinks=True)
    (root / "new").write_text("new")
    save(root, DirectoryStore(objects), SECOND, first.index)
    return objects


@pytest.fixture
def script(tmp_path):
    """Return a function that runs a copy of the script as a stranger would: nothing of ours is near it."""
    need_program("zstd")
    (tmp_path / "elsewhere").mkdir()
    alone = shutil.copy(SCRIPT, tmp_path / "elsewhere" / "restore.py")

    def run(*arguments, path=os.environ["PATH"]):
        command = [sys.executable, "-I", "-S", alone, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True)

    return run


def manifest(objects, stem=SECOND):
    return json.loads(zstandard.decompress((objects / f"{stem}.manifest.json.zst").read_bytes()))


def harm(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def forge(objects, change):
    """Have the second backup's lists say something else, with every hash above them right."""
    document = manifest(objects)
    [pack] = [pack for pack in document["packs"] if pack["holds"] == "lists"][-1:]
    lines = subprocess.run(
        f"zstd -dc {objects}/{document['packs'][-1]['name']} | tar xO",
        shell=True,
        capture_output=True,
        check=True,
    ).stdout
    blob = change(lines)
    digest = hashlib.sha256(blob).hexdigest()
    folder = objects.parent / "forged"
    folder.mkdir()
    (folder / digest).write_bytes(blob)
    tar = subprocess.run(
        ["tar", "--format=ustar", "-C", folder, "-c", digest], capture_output=True, check=True
    ).stdout
    content = zstandard.compress(tar)
    (objects / pack["name"]).write_bytes(content)
    pack |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "content": len(tar)}
    document["packs"] = [one for one in document["packs"] if one["holds"] == "files"] + [pack]
    document["lists"] = [digest]
    document["entries"] = blob.count(b"\n")
    path = objects / f"{SECOND}.manifest.json.zst"
    path.write_bytes(zstandard.compress(json.dumps(document).encode()))


def test_the_newest_backup_comes_back_exactly(script, objects, root, tmp_path):
    done = script(objects, "again")

    assert (done.returncode, done.stderr) == (0, "")
    assert "every sha256 is right" in done.stdout
    assert not differences(root, tmp_path / "again")


def test_an_older_one_comes_back_when_it_is_named(script, objects, tmp_path):
    assert script("copy", "again", "--backup", FIRST).returncode == 0
    assert not differences(tmp_path / "first", tmp_path / "again")


def test_zeros_take_no_room(script, objects, tmp_path):
    script(objects, "again")

    assert os.stat(tmp_path / "again" / "zeros").st_blocks * 512 < 1_000_000


def test_of_several_workstations_one_must_be_chosen(script, objects, root, tmp_path):
    shutil.copytree(objects, tmp_path / "copy" / "project" / "other")

    undecided = script("copy", "again")

    assert undecided.returncode == 1
    assert "--from project/other | --from project/workstation" in undecided.stderr
    assert script("copy", "again", "--from", "project/other").returncode == 0
    assert not differences(root, tmp_path / "again")


def test_backups_are_listed_with_the_damaged_ones(script, objects):
    harm(objects / f"{SECOND}.manifest.json.zst")

    done = script(objects, "--list")

    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first.startswith(FIRST)
    assert f"{manifest(objects, FIRST)['written']}  {manifest(objects, FIRST)['files']} files" in first
    assert second.startswith(SECOND)
    assert "damaged" in second


@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize("how", ["flipped", "cut", "missing"])
def test_a_harmed_pack_is_found_and_leaves_nothing_behind(script, objects, tmp_path, number, how):
    pack = objects / manifest(objects)["packs"][number]["name"]
    if how == "flipped":
        harm(pack)
    elif how == "cut":
        pack.write_bytes(pack.read_bytes()[:-1])
    else:
        pack.unlink()

    done = script(objects, "again")

    assert done.returncode == 3
    assert pack.name in done.stderr
    assert list((tmp_path / "again").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: lines.replace(b'"path":"empty"', b'"path":"../empty"'), "leads out"),
        (lambda lines: lines.replace(b'"path":"empty"', b'"path":"/empty"'), "leads out"),
        (lambda lines: lines.replace(b'"path":"empty"', b'"path":"bin/python/x"'), "not within a directory"),
        (lambda lines: lines.replace(b'"path":"empty"', b'"path":"empty directory"'), "there twice"),
        (lambda lines: lines.replace(b'"type":"link"', b'"type":"device"'), "damaged"),
        (lambda lines: lines.replace(b'"mtime":', b'"mtimes":'), "damaged"),
        (lambda lines: lines.replace(b'"sha256":"', b'"sha256":"00'), "are in no pack"),
        (lambda _: b"[]\n", "damaged"),
        (lambda _: b"{" * 9 + b"\n", "damaged"),
    ],
)
def test_a_list_that_lies_is_refused(script, objects, tmp_path, change, why):
    before = sorted(os.listdir(tmp_path))
    forge(objects, change)

    done = script(objects, "again")

    assert done.returncode == 3
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "again").iterdir()) == []
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "again"])


def test_another_manifest_than_the_one_that_was_promised_is_refused(script, objects):
    digest = hashlib.sha256((objects / f"{SECOND}.manifest.json.zst").read_bytes()).hexdigest()

    assert script(objects, "again", "--sha256", "0" * 64).returncode == 3
    assert script(objects, "again", "--sha256", digest.upper()).returncode == 0


def test_nothing_is_written_over_files(script, objects, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")

    assert script(objects, "full").returncode == 1
    assert os.listdir(tmp_path / "full") == ["mine"]


def test_nor_over_what_came_while_it_was_under_way(script, objects, tmp_path):
    slow = tmp_path / "slow" / "zstd"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\necho mine > {tmp_path}/again/new\nexec {shutil.which("zstd")} "$@"\n')
    slow.chmod(0o755)

    done = script(objects, "again", path=f"{slow.parent}:{os.environ['PATH']}")

    assert (done.returncode, "not empty" in done.stderr) == (1, True)
    assert os.listdir(tmp_path / "again") == ["new"]
    assert (tmp_path / "again" / "new").read_text() == "mine\n"


def test_what_a_killed_restore_left_is_cleared_away(script, objects, root, tmp_path):
    (tmp_path / "again" / ".dormouse-staging-00").mkdir(parents=True)
    (tmp_path / "again" / ".dormouse-staging-00" / "half").write_text("half")

    assert script(objects, "again").returncode == 0
    assert not differences(root, tmp_path / "again")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "usage:"),
        (("copy",), 2, "TARGET"),
        (("nowhere", "again"), 1, "no directory"),
        (("workspace", "again"), 3, "no backup"),
        (("copy", "again", "--backup", "00000007"), 3, "no backup named"),
    ],
)
def test_what_cannot_be_done_is_told(script, objects, arguments, code, said):
    done = script(*arguments)

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_zstd_is_told(script, objects, tmp_path):
    done = script(objects, "again", path=str(tmp_path))

    assert done.returncode == 1
    assert "zstd is missing" in done.stderr


def test_it_is_of_python_3_8_and_of_the_standard_library_alone():
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 8))

    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names
    # Which came with 3.9 and later, and which one would reach for here.
    assert not {"removeprefix", "removesuffix", "file_digest", "cache"} & {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }


def test_help_says_how_to_get_the_objects_and_what_the_exit_codes_mean(script):
    done = script("--help")

    assert done.returncode == 0
    assert "gcloud storage cp -r" in done.stdout
    assert "exit codes:" in done.stdout
