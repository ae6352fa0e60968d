"""`python -m agent.backup`: what a person sees who backs up a directory and wants it back."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agent.backup.tree import differences
from tests.agent.workspaces import furnish

WORKSTATION = Path(__file__).parents[3] / "workstation"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    furnish(root)
    return root


@pytest.fixture
def cli(tmp_path):
    """Return a function that runs a command in an empty home."""

    def run(*arguments):
        command = [sys.executable, "-m", "agent.backup", *map(str, arguments)]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(WORKSTATION),
        }
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


def listed(cli):
    return json.loads(cli("list", "--store", "store", "-o", "json").stdout)


def manifests(tmp_path):
    return sorted((tmp_path / "store").rglob("*.manifest.json.zst"))


def harm(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_saved_listed_verified_and_restored(cli, root, tmp_path):
    for arguments, said in [
        (("save", root, "--store", "store"), "bytes stored"),
        (("verify", "--store", "store"), "whole"),
        (("list", "--store", "store"), "00000001/00000001-"),
        (("restore", "again", "--store", "store"), "restored"),
    ]:
        done = cli(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert said in done.stdout

    assert not differences(root, tmp_path / "again")


def test_when_a_backup_was_made_is_told_also_of_a_copy_of_it(cli, root, tmp_path):
    cli("save", root, "--store", "store")
    [before] = listed(cli)
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.zst"):
        os.utime(path, (0, 0))

    [copied] = json.loads(cli("list", "--store", "copy", "-o", "json").stdout)

    assert copied == before
    assert before["written"] in cli("list", "--store", "copy").stdout


def test_what_has_not_changed_is_not_saved_again_and_a_change_costs_little(cli, root):
    first = cli("save", root, "--store", "store")
    again = cli("save", root, "--store", "store")
    (root / "new").write_text("new")
    third = cli("save", root, "--store", "store")

    assert "nothing has changed" in again.stdout
    assert [done.returncode for done in (first, again, third)] == [0, 0, 0]
    sizes = [one["storedBytes"] for one in listed(cli)]
    assert len(sizes) == 2
    assert int(third.stdout.split("; ")[1].split()[0]) < sizes[0] / 10


def test_the_index_is_in_the_cache_and_is_no_more_than_a_help(cli, root, tmp_path):
    cli("save", root, "--store", "store")
    [index] = (tmp_path / "home" / ".cache" / "dormouse").iterdir()
    harm(index)
    (root / "new").write_text("new")

    done = cli("save", root, "--store", "store")

    assert done.returncode == 0
    assert "everything was read again" in done.stderr
    assert "damaged" in done.stderr
    assert cli("restore", "again", "--store", "store").returncode == 0
    assert not differences(root, tmp_path / "again")


def test_files_that_only_look_different_are_read_once_and_not_again(cli, root, tmp_path):
    noted = []
    for _ in range(3):
        assert cli("save", root, "--store", "store", "--index", "mine").returncode == 0
        noted.append((tmp_path / "mine").read_bytes())
        if len(noted) == 1:
            (root / "large").rename(root / "between")
            (root / "between").rename(root / "large")

    assert noted[0] != noted[1]
    assert noted[1] == noted[2]
    assert len(manifests(tmp_path)) == 1


def test_after_a_restore_the_next_save_has_nothing_to_do(cli, root):
    cli("save", root, "--store", "store")
    cli("restore", "again", "--store", "store")

    assert "nothing has changed" in cli("save", "again", "--store", "store").stdout


def test_an_index_of_ones_own_and_none_at_all(cli, root, tmp_path):
    assert cli("save", root, "--store", "store", "--index", "mine").returncode == 0
    assert "nothing has changed" in cli("save", root, "--store", "store", "--index", "mine").stdout
    assert "bytes stored" in cli("save", root, "--store", "store", "--no-index").stdout
    assert not (tmp_path / "home").exists()
    assert (tmp_path / "mine").exists()


def test_a_damaged_newest_backup_is_passed_over_and_that_is_told(cli, root, tmp_path):
    cli("save", root, "--store", "store")
    (root / "new").write_text("new")
    cli("save", root, "--store", "store")
    newest = manifests(tmp_path)[-1]
    harm(newest)

    done = cli("restore", "again", "--store", "store")

    assert done.returncode == 4
    assert f"{newest.name} is damaged and was passed over" in done.stderr
    assert "00000001/00000001-" in done.stdout
    assert not (tmp_path / "again" / "new").exists()
    verified = cli("verify", "--all", "--store", "store")
    assert verified.returncode == 3
    assert [line.split()[1].rstrip(":") for line in verified.stdout.splitlines()] == ["whole", "damaged"]
    table = cli("list", "--store", "store")
    assert (table.returncode, table.stdout.count("damaged:")) == (0, 1)
    assert [bool(one["damaged"]) for one in listed(cli)] == [False, True]
    assert [bool(one["written"]) for one in listed(cli)] == [True, False]


def test_where_none_is_whole_nothing_is_restored(cli, root, tmp_path):
    cli("save", root, "--store", "store")
    for pack in (tmp_path / "store").rglob("*.tar.zst"):
        harm(pack)

    done = cli("restore", "again", "--store", "store")

    assert done.returncode == 3
    assert "damaged" in done.stderr
    assert list((tmp_path / "again").iterdir()) == []


def test_the_backup_that_is_named_is_restored_or_none(cli, root, tmp_path):
    cli("save", root, "--store", "store")
    (root / "new").write_text("new")
    cli("save", root, "--store", "store")

    assert cli("restore", "first", "--store", "store", "--backup", "00000001/00000001-").returncode == 0
    assert not (tmp_path / "first" / "new").exists()
    harm(manifests(tmp_path)[0])
    assert cli("restore", "again", "--store", "store", "--backup", "00000001/00000001-").returncode == 3
    assert cli("restore", "again", "--store", "store", "--backup", "00000001/").returncode == 3
    assert cli("verify", "--store", "store", "--backup", "00000009/").returncode == 3


def test_nothing_is_restored_over_files(cli, root, tmp_path):
    cli("save", root, "--store", "store")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")

    done = cli("restore", "full", "--store", "store")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path / "full") == ["mine"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("save",),
        ("save", "nowhere", "--store", "store"),
        ("save", "project", "--store", "project/within"),
        ("save", "project", "--store", "."),
        ("save", "project", "--store", "store", "--index", "project/index"),
        ("save", "project", "--store", "store", "--index", "x", "--no-index"),
        ("verify", "--store", "store", "--all", "--backup", "0"),
        ("list",),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(cli, root, tmp_path, arguments):
    done = cli(*arguments)

    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["project"]


def test_where_the_cache_lies_in_the_directory_one_is_told_what_to_do(cli, tmp_path):
    (tmp_path / "home").mkdir()

    refused = cli("save", "home", "--store", "store")

    assert refused.returncode == 2
    assert "--index FILE or --no-index" in refused.stderr
    assert cli("save", "home", "--store", "store", "--no-index").returncode == 0


@pytest.mark.parametrize("command", ["restore", "verify", "list"])
def test_an_empty_store_is_told(cli, command):
    done = cli(command, *(["again"] if command == "restore" else []), "--store", "nowhere")

    assert done.returncode == (0 if command == "list" else 3)
    assert "Traceback" not in done.stderr


def test_what_could_not_be_saved_is_told_each_time(cli, root):
    (root / Path(*["deep"] * 130)).mkdir(parents=True)

    first, again = (cli("save", root, "--store", "store") for _ in range(2))

    assert (first.returncode, again.returncode) == (4, 4)
    assert "skipped: deep/deep/" in first.stderr
    assert first.stderr == again.stderr


def test_two_saves_at_once_do_not_harm_each_other(root, tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONPATH": str(WORKSTATION)}
    command = [sys.executable, "-m", "agent.backup"]
    others = [tmp_path / f"project {number}" for number in range(4)]
    for number, other in enumerate(others):
        other.mkdir()
        furnish(other)
        (other / "number").write_text(str(number))

    saves = [
        subprocess.Popen([*command, "save", one, "--store", tmp_path / "store"], env=environment)
        for one in (*others, others[0])
    ]

    assert [save.wait() for save in saves] == [0] * 5
    done = subprocess.run([*command, "verify", "--all", "--store", tmp_path / "store"], env=environment)
    assert done.returncode == 0
    assert len(manifests(tmp_path)) == 5


def test_a_save_that_is_stopped_leaves_no_backup_and_says_so(root, tmp_path):
    for number in range(8):
        (root / f"large {number}").write_bytes(os.urandom(18_000_000))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONPATH": str(WORKSTATION)}
    command = [sys.executable, "-m", "agent.backup", "save", root, "--store", tmp_path / "store"]
    save = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "store").rglob("*.tar.zst")) and time.monotonic() < deadline:
        time.sleep(0.005)

    save.send_signal(signal.SIGTERM)

    assert "stopped" in save.communicate(timeout=120)[1]
    assert save.returncode == 130
    assert manifests(tmp_path) == []


def test_progress_is_shown_on_a_terminal_and_nowhere_else(root, tmp_path, cli):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONPATH": str(WORKSTATION)}
    command = [sys.executable, "-m", "agent.backup", "save", root, "--store", tmp_path / "store"]
    ours, theirs = pty.openpty()
    save = subprocess.Popen(command, env=environment, stderr=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    seen = _all_of(ours)

    assert save.wait() == 0
    assert b"MiB" in seen
    assert seen.endswith(b"\r\x1b[K")
    assert cli("save", root, "--store", "other").stderr == ""


def _all_of(terminal):
    seen = b""
    try:
        while piece := os.read(terminal, 4096):
            seen += piece
    except OSError:  # the other side is closed
        pass
    os.close(terminal)
    return seen


@pytest.mark.parametrize("command", [(), ("save",), ("restore",), ("verify",), ("list",)])
def test_help_explains_the_exit_codes(cli, command):
    done = cli(*command, "--help")

    assert done.returncode == 0
    assert "exit codes:" in done.stdout
    assert "never stood still" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
