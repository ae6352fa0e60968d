"""`.dormouseignore` is read as git reads its own; what is left out is not even entered, and a bad line fails nothing."""

import os
import subprocess
import sys

import pytest

from tests.agent.backup.keeping import contents, entries, manifest, save_into
from tests.needed import need_program

TREE = (
    "a.log",
    "keep.log",
    "src/a.log",
    "src/main.py",
    "src/build/out.o",
    "build/out.o",
    "build/keep/this",
    "docs/build",
    "deep/er/a.tmp",
    "deep/er/still/b.tmp",
    "node_modules/x/index.js",
    "src/node_modules/y/index.js",
    "src/__pycache__/main.pyc",
    "target/debug/app",
    "target/notes.txt",
    "rust/target/release/app",
    "dist/bundle.js",
    "vendor/lib.c",
    ".cache/x",
    " space /x",
    "#hash",
    "!bang",
    "ünï/ü.txt",
)


@pytest.fixture
def furnished(root):
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def saved_paths(root, store, rules):
    """Return the files of a backup under these rules, without the rules' own file."""
    (root / ".dormouseignore").write_text(rules)
    found = set(contents(store, save_into(store, root)))
    assert ".dormouseignore" in found
    return found - {".dormouseignore"}


@pytest.mark.parametrize(
    "rules",
    [
        "*.log\n",
        "*.log\n!keep.log\n",
        "/a.log\n",
        "build/\n",
        "/build/\n",
        "build/*\n!build/keep\n",
        "build/**\n!build/keep/\n",
        "build\n!build/keep\n",
        "**/build\n",
        "deep/**/*.tmp\n",
        "deep/*/*.tmp\n",
        "*\n!*/\n!*.py\n",
        "/*\n!/src\n",
        "src/*\n!src/main.py\n",
        "\\#hash\n\\!bang\n",
        "# a comment\n\n   \n*.tmp\n",
        "?.log\n[ab].tmp\n",
        "ü*\n",
        "*.log\r\nbuild/\r\n",
        "node_modules\n!src/node_modules\n",
        " space /\n",
        "a.log   \n",
        "**\n!*/\n!*.py\n",
        "src/**\n!src/main.py\n",
        "build/**/\n",
        "**/deep/**\n",
        "deep/**  \n",
    ],
)
def test_the_same_is_left_out_as_by_git(furnished, keeping, rules):
    need_program("git")
    found = saved_paths(furnished, keeping, rules)

    # git as the judge: of all files it names those that these rules do not leave out.
    subprocess.run(["git", "init", "-q", furnished], check=True)
    listed = subprocess.run(
        ["git", "-C", furnished, "ls-files", "-z", "--others", "--exclude-from=.dormouseignore"],
        check=True,
        capture_output=True,
    ).stdout
    assert found == {os.fsdecode(name) for name in listed.split(b"\0") if name} - {".dormouseignore"}


def test_caches_are_what_tools_make_again_and_nothing_that_may_be_work(furnished, keeping):
    found = saved_paths(furnished, keeping, "@caches\n")

    assert set(TREE) - found == {
        "node_modules/x/index.js",
        "src/node_modules/y/index.js",
        "src/__pycache__/main.pyc",
        "target/debug/app",
        "rust/target/release/app",
        ".cache/x",
    }


def test_a_later_line_takes_back_a_part_of_the_caches(furnished, keeping):
    assert "target/debug/app" in saved_paths(furnished, keeping, "@caches\n!target/debug/\n")


def test_without_the_file_nothing_is_left_out_and_nothing_is_imported(furnished):
    program = (
        "import sys, pathlib\n"
        "from agent.backup.saving.ignore import read_rules\n"
        "assert read_rules(pathlib.Path(sys.argv[1])) == (None, [])\n"
        "assert 'pathspec' not in sys.modules\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, furnished], check=True, env=environment)


def test_a_directory_that_is_left_out_is_not_entered(root, keeping):
    (root / "out" / "inside").mkdir(parents=True)
    os.mkfifo(root / "out" / "fifo")
    (root / ".dormouseignore").write_text("out/\n")

    saved = save_into(keeping, root)

    assert [line["path"] for line in entries(keeping, saved)] == [".dormouseignore"]
    assert manifest(keeping, saved)["skipped"] == []


@pytest.mark.parametrize("line", ["!", "a\\", "[z-a]", "a[", "/", "*a*a*a*a*a*a*a*a*b"])
def test_a_line_that_is_no_pattern_is_named_by_its_number_and_the_others_hold(furnished, keeping, line):
    (furnished / ".dormouseignore").write_text(f"# first\n{line}\n*.log\n")

    saved = save_into(keeping, furnished)

    [skipped] = manifest(keeping, saved)["skipped"]
    assert skipped["path"] == ".dormouseignore"
    assert skipped["reason"].startswith("line 2 is not followed: ")
    assert "a.log" not in contents(keeping, saved)
    assert "src/main.py" in contents(keeping, saved)


def test_names_that_are_no_text_are_judged_too(root, keeping):
    for name in (b"\xff.log", b"\xff.py", b"new\nline.log"):
        open(os.fsencode(root) + b"/" + name, "wb").close()
    (root / "in\na" / "build").mkdir(parents=True)
    (root / "in\na" / "b.log").touch()
    (root / ".dormouseignore").write_bytes(b"*.log\n**/in*/build\n")

    saved = save_into(keeping, root)

    assert list(saved.index.paths) == [b".dormouseignore", b"in\na", b"\xff.py"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_rules_that_are_no_file_leave_nothing_out_and_fail_nothing(root, keeping, make):
    (root / "a.log").write_text("x")
    make(root / ".dormouseignore")

    assert "a.log" in contents(keeping, save_into(keeping, root))


def test_rules_that_are_too_long_are_not_followed_in_part(root, keeping):
    (root / "a.log").write_text("x")
    (root / ".dormouseignore").write_text("*.log\n" * 100_000)

    saved = save_into(keeping, root)

    assert "a.log" in contents(keeping, saved)
    assert ".dormouseignore" in manifest(keeping, saved)["skipped"][0]["path"]
