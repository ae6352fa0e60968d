"""No backup, however hostile, touches anything outside the workspace, leaves anything in it, or takes the memory.

About two thousand. A hundred thousand, with what they came to:
HOSTILE_BACKUPS=100000 pytest --log-cli-level=INFO tests/agent/backup/test_hostile_backups.py
"""

import logging
import os
import random
import shutil
from collections import Counter

import pytest
from agent.backup.failures import ArchiveRefusedError, DoesNotFitError, NoObjectError
from agent.backup.restoring.contents import Limits
from agent.backup.restoring.restore import restore
from agent.backup.restoring.verify import verify

from tests.agent.backup.hostile import hostile_backup
from tests.agent.backup.memory import watched_memory
from tests.agent.backup.oracle import MANIFEST, backup, directory, file, link
from tests.agent.backup.tree import tree_rows

SEED = 20_261
BACKUPS = int(os.environ.get("HOSTILE_BACKUPS", "2000"))
MOST_MEMORY = 256 * 2**20
LIMITS = Limits(room=64 * 2**20)
REFUSED = (ArchiveRefusedError, NoObjectError, DoesNotFitError)
A = b"alpha"
_LOG = logging.getLogger(__name__)


@pytest.fixture
def place(tmp_path):
    """A workspace beside which there is something to protect."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"must never change")
    (tmp_path / "root").mkdir()
    return tmp_path


def outside(place):
    """Return all that must not change: what lies beside the workspace, with its links and inodes."""
    rows = tree_rows(place / "outside")
    status = (place / "outside" / "secret").stat()
    return sorted(os.listdir(place)), rows, status.st_nlink, status.st_ino, status.st_mode, status.st_ctime_ns


def is_restored(place, store, digest):
    """Try to restore; tell whether it was, and remove it again."""
    before = outside(place)
    try:
        restore(place / "root", store, MANIFEST, digest, limits=LIMITS)
    except REFUSED:
        assert os.listdir(place / "root") == []
        return False
    finally:
        assert outside(place) == before
    empty(place / "root")
    return True


def empty(root):
    for folder, inner, _ in os.walk(root):
        for name in inner:
            if not os.path.islink(os.path.join(folder, name)):
                os.chmod(os.path.join(folder, name), 0o700)
    shutil.rmtree(root)
    root.mkdir()


ENTRIES = {
    "absolute": [file("/outside/secret", A)],
    "parent": [file("../outside/secret", A)],
    "parent in the middle": [directory("a"), file("a/../../outside/secret", A)],
    "dot": [file("./a", A)],
    "slash at the end": [file("a/", A)],
    "two slashes": [directory("a"), file("a//b", A)],
    "empty": [file("", A)],
    "file through a link": [link("l", "../outside"), file("l/secret", A)],
    "directory through a link": [link("l", "../outside"), directory("l/new")],
    "link through a link": [link("l", "../outside"), link("l/m", "x")],
    "file through a link that comes later": [file("l/secret", A), link("l", "../outside")],
    "link and directory of one name": [directory("l"), file("l/secret", A), link("l", "../outside")],
    "file and link of one name": [file("f", A), link("f", "../outside/secret")],
    "file twice": [file("f", A), file("f", A)],
    "file beneath a file": [file("f", A), file("f/g", A)],
    "file in no directory": [file("d/f", A)],
    "file before its directory": [file("d/f", A), directory("d")],
    "not in order": [file("b", A), file("a", A)],
    "order of plain bytes": [directory("a"), file("a.b", A), file("a/b", A)],
    "name of ours": [directory(".dormouse-staging-0"), file(".dormouse-staging-0/f", A)],
    "name of an upload": [directory("d"), file("d/.dormouse-upload-0", A)],
    "set-user-id": [file("f", A, mode=0o4755)],
    "deep": [directory("/".join("d" * depth)) for depth in range(1, 200)],
    "size of another": [{**file("f", A), "size": 6}],
    "piece that is nowhere": [file("f", b"nowhere")],
    "no size, but a content": [{**file("f", A), "size": 0}],
    "far too large": [{**file("f", A), "size": 2**62}],
}


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_that_lie_are_refused(place, name):
    store, digest = backup(ENTRIES[name], [A])

    with pytest.raises(ArchiveRefusedError):
        verify(store, MANIFEST, digest)
    assert not is_restored(place, store, digest)


def test_a_link_may_point_outside_but_nothing_is_written_through_it(place):
    store, digest = backup([file("a", A), link("python", str(place / "outside" / "secret"))], [A])
    before = outside(place)

    restore(place / "root", store, MANIFEST, digest)

    assert os.readlink(place / "root" / "python") == str(place / "outside" / "secret")
    assert outside(place) == before


@pytest.mark.timeout(3600)
def test_thousands_of_hostile_backups_touch_nothing_outside_and_leave_nothing(place):
    """Seeded, so that a failure names the backup that caused it."""
    figures = Counter()
    for seed in range(SEED, SEED + BACKUPS):
        outcome, taken = one(place, seed)
        figures[outcome] += 1
        figures["MiB at most"] = max(figures["MiB at most"], taken // 2**20)

    _LOG.info("%s", dict(figures))
    assert figures["refused"] > BACKUPS / 2
    assert figures["restored"] > BACKUPS / 100


def one(place, seed):
    """Return what became of one backup, and how many bytes of memory it took."""
    store, digest = hostile_backup(random.Random(seed))
    told = digest if seed % 2 else None
    try:
        with watched_memory() as grown:
            outcome = "restored" if is_restored(place, store, told) else "refused"
            taken = grown()
        assert taken < MOST_MEMORY
        if seed % 10 == 0:
            assert _is_whole(store, told) == (outcome == "restored")
    except Exception as error:
        raise AssertionError(f"seed {seed} came through") from error
    return outcome, taken


def _is_whole(store, digest):
    try:
        verify(store, MANIFEST, digest)
    except REFUSED:
        return False
    return True
