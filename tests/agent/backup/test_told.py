"""What a backup tells of itself, and what it must not keep silent about."""

import os
import resource
from datetime import datetime, timedelta, timezone

import pytest
from agent.backup.failures import ArchiveRefusedError
from agent.backup.form.manifest import decode_manifest
from agent.backup.restoring.verify import verify
from agent.backup.saving.save import MOST_NAMED, save
from agent.backup.walk import DEEPEST

from tests.agent.backup.keeping import manifest, save_into
from tests.agent.backup.oracle import MANIFEST, backup


def test_what_could_not_be_read_is_told_before_what_is_no_file(root, keeping):
    for number in range(MOST_NAMED):
        os.mkfifo(root / f"{number:03}")
    deep = root
    for _ in range(DEEPEST):
        deep = deep / "d"
        deep.mkdir()
    (deep / "lost").write_text("")

    saved = save_into(keeping, root)

    assert saved.index.manifest.skipped[0] == (f"{'d/' * DEEPEST}lost", "its path is too long or too deep")
    assert len(saved.index.manifest.skipped) == MOST_NAMED


def test_without_descriptors_left_there_is_no_backup_rather_than_one_that_lacks_files(root, keeping):
    (root / "a" / "b" / "c" / "d" / "e" / "f").mkdir(parents=True)
    (root / "a" / "b" / "c" / "d" / "e" / "f" / "file").write_text("x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)

    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 4, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            save_into(keeping, root)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert keeping.manifests == []


def test_a_backup_says_when_it_was_made(root, keeping):
    when = datetime(2026, 1, 2, 3, 4, 5, 678, timezone(timedelta(hours=2)))

    saved = save(root, keeping, "00000001/00000001-0123abcd", written=when)

    assert manifest(keeping, saved)["written"] == "2026-01-02T01:04:05Z"
    assert decode_manifest(keeping.objects[saved.name]) == saved.index.manifest


@pytest.mark.parametrize(
    "written",
    [
        *("", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05+00:00", "2026-1-2T3:4:5Z"),
        *("2026-02-30T03:04:05Z", "2026-01-02T03:04:05.5Z", " 2026-01-02T03:04:05Z", 1_767_323_045, None),
    ],
)
def test_a_time_that_we_would_not_write_is_refused(written):
    store, digest = backup([], [], written=written)

    with pytest.raises(ArchiveRefusedError, match="damaged"):
        verify(store, MANIFEST, digest)
