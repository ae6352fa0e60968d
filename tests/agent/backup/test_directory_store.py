"""A directory as a store: nothing is overwritten, nothing is there by halves, and nothing leaves it."""

import errno
import os
import threading
import time

import pytest
from agent.backup.failures import (
    GrantRefusedError,
    NameTakenError,
    NoObjectError,
    StoreUnreachableError,
)
from agent.backup.stores.directory import FORGOTTEN, PARTIAL_PREFIX, DirectoryStore

PACK = "00000001/00000001-0a1b2c3d-0000.tar.zst"
MANIFEST = "00000001/00000001-0a1b2c3d.manifest.json.zst"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "made" / "store"


@pytest.fixture
def store(root):
    return DirectoryStore(root)


def test_what_was_put_is_got_and_listed_in_the_order_of_the_names(store):
    later = "00000002/00000001-0a1b2c3d-0000.tar.zst"
    for name, content in ((later, b""), (PACK, b"pack"), (MANIFEST, b"x" * 3_000_000)):
        store.put(name, content)

    assert b"".join(store.get(PACK, 100)) == b"pack"
    assert b"".join(store.get(MANIFEST, 2**30)) == b"x" * 3_000_000
    assert b"".join(store.get(later, 100)) == b""
    assert list(store.names()) == sorted([(PACK, 4), (MANIFEST, 3_000_000), (later, 0)])


def test_the_same_content_again_is_done_and_another_is_refused(store):
    store.put(PACK, b"first")
    store.put(PACK, b"first")

    for other in (b"other", b"first and more", b""):
        with pytest.raises(NameTakenError):
            store.put(PACK, other)

    assert b"".join(store.get(PACK, 100)) == b"first"


def test_of_many_who_put_one_name_at_once_one_wins_and_all_others_hear_of_it(store):
    start, outcomes = threading.Barrier(8), []

    def put(number):
        start.wait()
        try:
            store.put(PACK, b"%d" % number * 100_000)
            outcomes.append(number)
        except NameTakenError:
            outcomes.append(None)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [number for number in outcomes if number is not None]
    assert len(winners) == 1
    assert len(outcomes) == 8
    assert b"".join(store.get(PACK, 2**20)) == b"%d" % winners[0] * 100_000


@pytest.mark.parametrize(
    "name",
    [
        "../00000001/00000001-0a1b2c3d-0000.tar.zst",
        "/etc/passwd",
        "00000001/../../00000001-0a1b2c3d-0000.tar.zst",
        "00000001/00000001-0a1b2c3d-0000.tar.zst/more",
        "00000001/00000001-0a1b2c3d-0000.tar.zst\n",
        "00000001/00000001-0a1b2c3d-0000.tar.zst\0",
        f"00000001/{PARTIAL_PREFIX}0011223344556677",
        "",
        "..",
    ],
)
def test_a_name_that_is_none_of_ours_reaches_no_file(store, root, name):
    for call in (
        lambda: store.put(name, b"x"),
        lambda: list(store.get(name, 9)),
    ):
        with pytest.raises(NoObjectError):
            call()

    assert not root.exists()


def test_what_killed_puts_left_is_removed_once_it_is_old(store, root):
    store.put(PACK, b"pack")
    old, new = (root / "00000001" / f"{PARTIAL_PREFIX}{digit * 16}" for digit in "01")
    others = [root / "00000001" / f"{PARTIAL_PREFIX}notes", root / f"{PARTIAL_PREFIX}{'0' * 16}"]
    for path in (old, new, *others):
        path.write_bytes(b"half")
        if path != new:
            os.utime(path, (0, time.time() - FORGOTTEN - 60))

    store.remove_partials()

    assert not old.exists()
    assert all(path.exists() for path in (new, *others))
    assert b"".join(store.get(PACK, 100)) == b"pack"


def test_a_directory_that_nobody_may_enter_can_lie_beside_the_backups(store, root, monkeypatch):
    """As `lost+found` does at the top of a disk."""
    store.put(PACK, b"pack")
    (root / "lost+found").mkdir()
    listed = os.listdir

    def denied(path):
        if os.fspath(path).endswith("lost+found"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "listdir", denied)

    assert list(store.names()) == [(PACK, 4)]


def test_no_link_in_the_store_is_followed(store, root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "00000001-0a1b2c3d-0000.tar.zst").write_bytes(b"secret")
    root.mkdir(parents=True)
    (root / "00000001").symlink_to(outside)
    (root / "00000002").mkdir()
    (root / "00000002" / "00000001-0a1b2c3d-0000.tar.zst").symlink_to(
        outside / "00000001-0a1b2c3d-0000.tar.zst"
    )

    for name in (PACK, "00000002/00000001-0a1b2c3d-0000.tar.zst"):
        with pytest.raises(GrantRefusedError):
            list(store.get(name, 100))
        with pytest.raises((GrantRefusedError, NameTakenError)):
            store.put(name, b"other")
    assert list(store.names()) == []
    assert os.listdir(outside) == ["00000001-0a1b2c3d-0000.tar.zst"]
    assert (outside / "00000001-0a1b2c3d-0000.tar.zst").read_bytes() == b"secret"


def test_what_is_missing_is_told_as_missing(store):
    with pytest.raises(NoObjectError, match=PACK):
        list(store.get(PACK, 100))
    assert list(store.names()) == []


def test_a_put_that_was_killed_leaves_nothing_that_counts(store, root):
    store.put(PACK, b"pack")
    (root / "00000001" / f"{PARTIAL_PREFIX}0011223344556677").write_bytes(b"half")
    (root / "notes.txt").write_bytes(b"someone else's")

    assert list(store.names()) == [(PACK, 4)]


def test_a_full_disk_is_told_and_leaves_nothing_behind(store, root, monkeypatch):
    store.put(PACK, b"pack")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnreachableError, match="no room left"):
        store.put(MANIFEST, b"manifest")

    assert os.listdir(root / "00000001") == [PACK.partition("/")[2]]


def test_no_more_is_read_than_was_asked_for(store):
    store.put(PACK, bytes(5 * 2**20))

    assert sum(map(len, store.get(PACK, 2**20))) <= 2 * 2**20


def test_nobody_else_can_read_what_was_secret_in_the_workspace(store, root):
    store.put(PACK, b"pack")

    assert root.stat().st_mode & 0o077 == 0
    assert (root / PACK).stat().st_mode & 0o077 == 0
