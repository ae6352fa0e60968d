"""A workspace does not stand still for a save: nothing that moves meanwhile makes a false backup, or a save that fails."""

import os
import random
import shutil
import time

import pytest
from agent.backup.progress import Progress
from agent.backup.saving.read import ATTEMPTS, NotSavedError, read_file
from agent.backup.saving.scan import is_changed
from agent.files.beneath import LinkRefusedError

from tests.agent.backup.keeping import contents, entries, manifest, save_into

LARGE = 12_000_000
"""So that several pieces are taken while it is read."""
ALL = 2**40


class Meddling(Progress):
    """Something is done to the workspace at one step of the save, and one step only."""

    def __init__(self, at, meddle):
        super().__init__()
        self._left = at
        self._meddle = meddle

    @property
    def has_meddled(self):
        return self._left < 0

    def step(self):
        super().step()
        if self._left == 0:
            self._meddle()
        self._left -= 1


def read(root, name, during=lambda: None):
    """Read one file, with something done after each piece; returns what is known, whether it stood still, the content."""
    taken = {}

    def take(piece, content):
        taken[piece.id] = bytes(content)
        during()

    parent = os.open(root, os.O_RDONLY)
    try:
        known, still = read_file(parent, name, name, take, ALL)
    finally:
        os.close(parent)
    return known, still, b"".join(taken[piece.id] for piece in known.entry.pieces)


def once(action):
    """Return a function that does something at its first call alone."""
    actions = [action]
    return lambda: actions.pop()() if actions else None


def overwrite(path, at, content):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


def outlast_a_tick():
    """Wait until a change would show in a file's times."""
    time.sleep(0.06)


@pytest.fixture
def large(root):
    path = root / "large"
    path.write_bytes(random.Random(1).randbytes(LARGE))
    outlast_a_tick()
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda path: overwrite(path, 0, b"changed"),
        lambda path: overwrite(path, LARGE, b"grown"),
        lambda path: os.truncate(path, LARGE // 2),
        lambda path: os.truncate(path, 0),
        lambda path: os.truncate(path, 100),
        lambda path: path.chmod(0o751),
        lambda path: os.utime(path, ns=(1, 2)),
    ],
    ids=["overwritten", "grown", "cut short", "emptied", "made small", "mode", "time"],
)
def test_a_file_that_changes_once_while_it_is_read_is_read_again(root, large, change):
    known, still, content = read(root, b"large", once(lambda: change(large)))

    assert still
    assert content == large.read_bytes()
    assert (known.entry.size, known.entry.mtime) == (len(content), large.stat().st_mtime_ns)
    assert known.entry.mode == large.stat().st_mode & 0o777


def test_a_file_that_never_stands_still_is_kept_as_read_last_and_read_again_next_time(root, large):
    numbers = iter(range(10_000))

    def grow():
        outlast_a_tick()
        overwrite(large, LARGE + next(numbers), b"x")

    known, still, content = read(root, b"large", grow)

    assert not still
    assert not known.settled
    assert known.entry.size == len(content) == sum(piece.size for piece in known.entry.pieces)
    assert content[:LARGE] == large.read_bytes()[:LARGE]
    assert known.facts.size < large.stat().st_size


def test_a_file_that_grows_as_fast_as_it_is_read_is_read_a_few_times_and_no_more(root, large):
    pieces = []

    def grow():
        pieces.append(1)
        overwrite(large, large.stat().st_size, bytes(1_000_000))

    known, still, _ = read(root, b"large", grow)

    assert not still
    assert len(pieces) < ATTEMPTS * (known.entry.size / 256 / 1024 + 2)


def test_a_file_that_is_replaced_while_it_is_read_is_one_or_the_other(root, large):
    other = root / "other"
    other.write_bytes(random.Random(2).randbytes(LARGE))
    before = large.read_bytes()

    _, _, content = read(root, b"large", once(lambda: other.replace(large)))

    assert content in (before, large.read_bytes())


def test_a_file_that_is_removed_while_it_is_read_is_read_to_its_end(root, large):
    before = large.read_bytes()

    _, _, content = read(root, b"large", once(large.unlink))

    assert content == before


def test_what_takes_the_place_of_a_file_is_not_read(root, tmp_path):
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("/etc/passwd")
    (root / "directory").mkdir()

    with pytest.raises(NotSavedError):
        read(root, b"fifo")
    with pytest.raises(LinkRefusedError):
        read(root, b"link")
    with pytest.raises(OSError):
        read(root, b"directory")


def _furnish(root):
    for number in range(3):
        (root / "d" / "e").mkdir(parents=True, exist_ok=True)
        (root / "d" / f"f{number}").write_text(f"inside {number}")
        (root / "d" / "e" / f"g{number}").write_text(f"deeper {number}")
    (root / "z").write_text("last")
    outlast_a_tick()


def _steps(root, keeping):
    """Return how many steps the save of this workspace has."""
    progress = Meddling(10_000, lambda: None)
    save_into(keeping, root, progress=progress)
    return 10_000 - progress._left


def _meddled(root, keeping, meddle, restore):
    """Save once for each step, with the workspace changed at that step; yields the backups."""
    _furnish(root)
    for at in range(_steps(root, keeping)):
        progress = Meddling(at, meddle)
        yield save_into(keeping, root, progress=progress)
        assert progress.has_meddled
        restore()


def test_files_that_vanish_at_any_moment_are_left_out_without_a_word(root, keeping):
    def remove():
        shutil.rmtree(root / "d")

    for saved in _meddled(root, keeping, remove, lambda: _furnish(root)):
        found = contents(keeping, saved)
        assert found.pop("z") == b"last"
        assert all(content.startswith((b"inside", b"deeper")) for content in found.values())
        assert manifest(keeping, saved)["skipped"] == []


def test_a_directory_that_becomes_a_link_at_any_moment_leads_nowhere(root, keeping, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("f0", "f1", "f2", "g0", "g1", "g2"):
        (outside / name).write_text("secret of another")

    def swap():
        (root / "d" / "e").rename(root / "aside")
        (root / "d" / "e").symlink_to(outside)

    def restore():
        (root / "d" / "e").unlink()
        (root / "aside").rename(root / "d" / "e")

    for saved in _meddled(root, keeping, swap, restore):
        assert b"secret of another" not in contents(keeping, saved).values()


def test_a_file_that_becomes_a_fifo_at_any_moment_does_not_hold_up_the_save(root, keeping):
    def swap():
        (root / "d" / "f1").unlink()
        os.mkfifo(root / "d" / "f1")

    def restore():
        (root / "d" / "f1").unlink()
        (root / "d" / "f1").write_text("inside 1")

    for saved in _meddled(root, keeping, swap, restore):
        assert contents(keeping, saved)["z"] == b"last"


def test_an_entry_lies_in_a_directory_that_comes_before_it_whatever_happens(root, keeping):
    def swap():
        (root / "d" / "e").rename(root / "aside")
        (root / "d" / "e").write_text("a file now")

    def restore():
        (root / "d" / "e").unlink()
        (root / "aside").rename(root / "d" / "e")

    for saved in _meddled(root, keeping, swap, restore):
        directories = {""}
        for line in entries(keeping, saved):
            assert line["path"].rpartition("/")[0] in directories
            if line["type"] == "directory":
                directories.add(line["path"])


def test_a_change_in_the_tick_of_a_save_that_sets_the_time_back_is_found(root, keeping):
    for _ in range(10):
        (root / "file").write_text("one")
        status = (root / "file").stat()
        saved = save_into(keeping, root)
        (root / "file").write_text("two")
        os.utime(root / "file", ns=(status.st_atime_ns, status.st_mtime_ns))

        assert is_changed(root, saved.index)
        again = save_into(keeping, root, saved)
        assert contents(keeping, again)["file"] == b"two"


def test_a_link_that_is_changed_in_the_tick_of_a_save_is_found(root, keeping):
    for number in range(10):
        (root / "link").symlink_to(f"one{number}")
        saved = save_into(keeping, root)
        (root / "link").unlink()
        (root / "link").symlink_to(f"two{number}")

        again = save_into(keeping, root, saved)
        assert [line["target"] for line in entries(keeping, again)] == [f"two{number}"]
        (root / "link").unlink()


def test_what_was_written_just_before_a_save_is_not_read_again_by_the_next(root, keeping):
    for number in range(50):
        (root / str(number)).write_text(str(number))
    saved = save_into(keeping, root)
    progress = Progress()

    assert not is_changed(root, saved.index)
    assert save_into(keeping, root, saved, progress) is None
    assert progress.files == 0
