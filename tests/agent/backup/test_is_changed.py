"""Whether there is something to save is told by what the file system says, and told of every kind of change."""

import os

import pytest
from agent.backup.saving.scan import is_changed

from tests.agent.backup.keeping import save_into
from tests.agent.workspaces import furnish


def _in_place(root):
    path = root / "run.sh"
    status = path.stat()
    path.write_text("#!/bin/sH\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "new").touch(),
        lambda root: (root / "empty").unlink(),
        lambda root: (root / "secret").write_text("t"),
        _in_place,
        lambda root: (root / "secret").chmod(0o644),
        lambda root: (root / "secret").rename(root / "moved"),
        lambda root: (root / "empty directory" / "deep" / "deeper").mkdir(),
        lambda root: (root / "empty directory" / "deep").rmdir(),
        lambda root: (root / "empty directory").chmod(0o700),
        lambda root: (root / "another link").symlink_to("run.sh"),
        lambda root: os.utime(root / "zeros"),
        lambda root: (root / "large").rename(root / "zeros"),
    ],
)
def test_every_kind_of_change_is_seen_and_a_save_ends_it(root, keeping, change):
    furnish(root)
    saved = save_into(keeping, root)
    assert not is_changed(root, saved.index)

    change(root)

    assert is_changed(root, saved.index)
    assert not is_changed(root, save_into(keeping, root, saved).index)


def test_what_changes_nothing_that_is_kept_is_noted_and_not_saved(root, keeping):
    (root / "file").write_text("x")
    saved = save_into(keeping, root)
    os.link(root / "file", root / "other")
    (root / "other").unlink()
    os.utime(root, ns=(1, 1))

    assert is_changed(root, saved.index)
    assert save_into(keeping, root, saved) is None
    assert not is_changed(root, saved.index)


def test_what_comes_and_goes_in_a_directory_is_no_change(root, keeping):
    (root / "directory").mkdir()
    saved = save_into(keeping, root)
    (root / "directory" / "temporary").touch()
    (root / "directory" / "temporary").unlink()

    assert not is_changed(root, saved.index)


def test_what_is_no_part_of_a_backup_is_no_change(root, keeping):
    (root / "file").touch()
    (root / ".dormouseignore").write_text("*.log\n")
    saved = save_into(keeping, root)
    os.mkfifo(root / "fifo")
    (root / "a.log").write_text("x")
    (root / ".dormouse-upload-0123").write_text("half an upload")
    (root / ".dormouse-staging-0123").mkdir()

    assert not is_changed(root, saved.index)


def test_other_rules_are_a_change(root, keeping):
    (root / "a.log").write_text("x")
    saved = save_into(keeping, root)
    (root / ".dormouseignore").write_text("*.log\n")

    assert is_changed(root, saved.index)
    without = save_into(keeping, root, saved)
    assert list(without.index.paths) == [b".dormouseignore"]
    (root / ".dormouseignore").unlink()
    assert is_changed(root, without.index)
