"""What was saved comes back, all of it or nothing, and the next save knows it."""

import errno
import os
import random
import stat
from pathlib import Path

import pytest
from agent.backup.failures import (
    ArchiveRefusedError,
    DoesNotFitError,
    NotEmptyError,
)
from agent.backup.form.bounds import LARGEST_PIECE
from agent.backup.form.entry import Entry, Piece, decode_entry, encode_entry
from agent.backup.index import is_same
from agent.backup.progress import Progress, StoppedError
from agent.backup.restoring.contents import Limits
from agent.backup.restoring.restore import restore, restore_newest
from agent.backup.saving.save import save
from agent.backup.walk import STAGING_PREFIX

from tests.agent.backup.memory import watched_memory
from tests.agent.backup.oracle import (
    MANIFEST,
    STEM,
    MemoryStore,
    backup,
    backup_of,
    directory,
    file,
    manifest,
    pack,
    sha256,
    store_of,
)
from tests.agent.backup.tree import differences

A, B = b"alpha", b"beta" * 300
ZEROS = bytes(LARGEST_PIECE)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def source(tmp_path):
    """A workspace with something of everything that a backup keeps."""
    numbers, place = random.Random(7), tmp_path / "source"
    (place / "deep" / "deeper" / "deepest").mkdir(parents=True)
    (place / "none").mkdir()
    (place / "empty").touch()
    (place / "deep" / "deeper" / "deepest" / "small").write_bytes(numbers.randbytes(700))
    (place / "deep" / "same").write_bytes(A)
    (place / "same").write_bytes(A)
    (place / "large").write_bytes(numbers.randbytes(3_500_000) + bytes(12_000_000) + b"end")
    (place / "zeros").write_bytes(bytes(70_000))
    (place / "ü \n%").write_bytes(B)
    Path(os.fsdecode(os.fsencode(place) + b"/\xff\xfe")).write_bytes(B)
    (place / "link").symlink_to("deep/same")
    (place / "deep" / "outside").symlink_to("/etc/passwd")
    (place / "run").write_bytes(b"#!/bin/sh\n")
    (place / "run").chmod(0o777)
    (place / "secret").write_bytes(b"x")
    (place / "secret").chmod(0o400)
    for name, mtime in [("old", -(10**18)), ("young", 10**18 + 123_456_789)]:
        (place / name).write_bytes(name.encode())
        os.utime(place / name, ns=(mtime, mtime))
    (place / "deep" / "deeper").chmod(0o500)
    (place / "none").chmod(0o500)
    os.utime(place / "deep", ns=(10**18, 10**18))
    yield place
    for path in (place / "none", place / "deep" / "deeper"):
        path.chmod(0o700)


def test_what_an_independent_writer_stored_comes_back_to_the_byte(source, root):
    store, digest = backup_of(source)

    restored = restore(root, store, MANIFEST, digest)

    assert differences(source, root) == []
    assert (restored.name, restored.sha256, restored.refused) == (MANIFEST, digest, ())


def test_what_we_saved_comes_back_to_the_byte(source, root):
    store = MemoryStore()
    saved = save(source, store, STEM)

    restored = restore(root, store, saved.name, saved.sha256)

    assert differences(source, root) == []
    assert restored.size == saved.size


def test_what_nobody_may_enter_comes_back_with_what_is_in_it(root):
    store, digest = backup(
        [
            directory("d", mode=0),
            directory("d/e", mode=0o100),
            file("d/e/f", A, mode=0),
            file("g", A, B, mode=0),
        ],
        [A, B],
    )

    index = restore(root, store, MANIFEST, digest).index

    found = {path: stat.S_IMODE(known.facts.mode) for path, known in index.paths.items()}
    assert found == {b"d": 0, b"d/e": 0o100, b"d/e/f": 0, b"g": 0}
    for path in ("d", "d/e", "d/e/f"):
        assert stat.S_IMODE((root / path).stat().st_mode) == found[path.encode()]
        (root / path).chmod(0o700)
    assert (root / "d" / "e" / "f").read_bytes() == A


def test_the_process_may_have_any_umask(source, root):
    store, digest = backup_of(source)
    before = os.umask(0o077)
    try:
        restore(root, store, MANIFEST, digest)
    finally:
        os.umask(before)

    assert differences(source, root) == []


def test_the_next_save_reads_nothing_and_stores_nothing(source, root):
    store = MemoryStore()
    saved = save(source, store, STEM)
    index = restore(root, store, saved.name, saved.sha256).index

    assert all(known.settled for known in index.paths.values())
    assert all(
        is_same(known.facts, (root / os.fsdecode(path)).lstat()) for path, known in index.paths.items()
    )
    assert dict(index.blobs) == dict(saved.index.blobs)
    assert list(index.paths) == list(saved.index.paths)
    assert save(root, store, "00000002/00000001-00000000", index) is None


@pytest.mark.parametrize("path", ["same", "deep/same"])
def test_the_next_save_sees_a_change_that_hides_well(source, root, path):
    """The same size and modification time, at once after the restore: a renamed file and one that lies deeper."""
    store, digest = backup_of(source)
    index = restore(root, store, MANIFEST, digest).index
    changed = root / path
    status = changed.stat()

    changed.write_bytes(A[::-1])
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))

    saved = save(root, store, "00000002/00000001-00000000", index)
    restore(root.with_name("again"), store, saved.name, saved.sha256)
    assert (root.with_name("again") / path).read_bytes() == A[::-1]


def test_every_file_of_the_same_content_gets_it(root):
    store, digest = backup([file(f"f{n:03}", A) for n in range(300)] + [file("g", A, B, A)], [A, B])

    restore(root, store, MANIFEST, digest)

    assert {(root / f"f{n:03}").read_bytes() for n in range(300)} == {A}
    assert (root / "g").read_bytes() == A + B + A


def test_pieces_come_in_any_order_and_from_any_pack(root):
    pieces = [bytes([number]) * (1000 + number) for number in range(40)]
    shuffled = random.Random(1).sample(pieces, 40)
    packs = [pack(shuffled[start : start + 7]) for start in range(0, 40, 7)]
    entries = [file("a", *pieces[:20], mode=0o400), file("b", *pieces[20:]), file("c", *pieces[10:30])]
    store, digest = backup(entries, [], packs=packs)

    restore(root, store, MANIFEST, digest)

    assert (root / "a").read_bytes() == b"".join(pieces[:20])
    assert (root / "b").read_bytes() == b"".join(pieces[20:])
    assert (root / "c").read_bytes() == b"".join(pieces[10:30])
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o400


def test_zeros_are_restored_as_holes(root):
    entries = [file("end", A, *[ZEROS] * 3), file("middle", A, ZEROS, B), file("only", *[ZEROS] * 5)]
    store, digest = backup(entries, [A, B, ZEROS])

    restore(root, store, MANIFEST, digest, limits=Limits(room=10_000))

    assert (root / "end").read_bytes() == A + ZEROS * 3
    assert (root / "middle").read_bytes() == A + ZEROS + B
    assert (root / "only").read_bytes() == ZEROS * 5
    assert sum(512 * path.stat().st_blocks for path in root.iterdir()) < LARGEST_PIECE


def test_blobs_that_nothing_needs_and_blobs_twice_do_no_harm(root):
    packs = [pack([A, b"garbage"]), pack([A, B, B])]
    store, digest = backup([file("a", A), file("b", B)], [], packs=packs)

    index = restore(root, store, MANIFEST, digest).index

    assert [path.read_bytes() for path in sorted(root.iterdir())] == [A, B]
    assert index.blobs[bytes.fromhex(sha256(A))] == 0


def test_an_empty_workspace_comes_back_empty(root):
    store, digest = store_of([], manifest([], [], []))

    index = restore(root, store, MANIFEST, digest).index

    assert list(root.iterdir()) == []
    assert save(root, store, "00000002/00000001-00000000", index) is None


def test_the_deepest_path_comes_back(root):
    names = ["d" * 30] * 127
    paths = ["/".join(names[:depth]) for depth in range(1, 128)]
    store, digest = backup([*map(directory, paths), file(f"{paths[-1]}/f", A)], [A])

    restore(root, store, MANIFEST, digest)

    place = os.open(root, os.O_RDONLY)
    for name in names:
        place, outer = os.open(name, os.O_RDONLY, dir_fd=place), place
        os.close(outer)
    assert os.listdir(place) == ["f"]
    os.close(place)


def test_nothing_is_restored_over_what_is_there(root):
    store, digest = backup([file("a", A)], [A])
    root.mkdir()
    (root / "mine").write_bytes(b"mine")

    with pytest.raises(NotEmptyError):
        restore_newest(root, store, [(MANIFEST, digest)])

    assert [(path.name, path.read_bytes()) for path in root.iterdir()] == [("mine", b"mine")]


def test_what_a_killed_restore_left_is_removed(root):
    store, digest = backup([file("a", A)], [A])
    left = root / (STAGING_PREFIX.decode() + "0123")
    (left / "d").mkdir(parents=True)
    (left / "d" / "f").write_bytes(b"half")
    (root / (STAGING_PREFIX.decode() + "link")).symlink_to("/")

    restore(root, store, MANIFEST, digest)

    assert [path.name for path in root.iterdir()] == ["a"]


@pytest.mark.parametrize("seconds", [253_370_764_800, 2**63 - 1, -(2**63)])
def test_a_time_that_only_some_file_systems_know_is_no_reason_to_lose_a_backup(root, tmp_path, seconds):
    """A workspace in memory keeps every time; the volume of a restore may know only the nearest."""
    entry = Entry(b"a", "file", 0o644, seconds * 10**9, 1, (Piece(bytes(32), 1),))
    assert decode_entry(encode_entry(entry)) == entry

    store, digest = backup([file("a", A, mtime=seconds * 10**9)], [A])
    restore(root, store, MANIFEST, digest)

    assert (root / "a").read_bytes() == A


def test_a_root_that_is_there_keeps_its_mode(root):
    store, digest = backup([file("a", A)], [A])
    root.mkdir(mode=0o751)

    restore(root, store, MANIFEST, digest)

    assert stat.S_IMODE(root.stat().st_mode) == 0o751


@pytest.mark.parametrize("limits", [Limits(entries=2), Limits(bytes=4), Limits(pieces=2), Limits(blobs=2)])
def test_more_than_may_be_is_refused(root, limits):
    store, digest = backup([directory("d"), file("d/a", A, B), file("e", b"c")], [A, B, b"c"])

    with pytest.raises(ArchiveRefusedError, match="more"):
        restore(root, store, MANIFEST, digest, limits=limits)

    assert list(root.iterdir()) == []


def test_what_does_not_fit_is_refused_before_a_pack_of_files_is_read(root):
    store, digest = backup([file("a", A * 700_000)], [A * 700_000])

    with pytest.raises(DoesNotFitError, match="need 4 MiB or more, and the workspace holds 1 MiB"):
        restore(root, store, MANIFEST, digest, limits=Limits(room=2**20))

    assert list(root.iterdir()) == []
    assert store.read == [MANIFEST, f"{STEM}-0001.tar.zst"]


def test_a_disk_that_fills_up_leaves_an_empty_workspace_and_no_older_backup(root, monkeypatch):
    store, digest = backup([file("a", A), file("b", B)], [A, B])

    def full(descriptor, content, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DoesNotFitError):
        restore_newest(root, store, [(MANIFEST, digest), (MANIFEST, None)])

    assert list(root.iterdir()) == []


def test_a_restore_that_is_called_off_leaves_an_empty_workspace(root):
    store, digest = backup([file("a", A)], [A])
    progress = Progress()
    progress.stop()

    with pytest.raises(StoppedError):
        restore(root, store, MANIFEST, digest, progress)

    assert list(root.iterdir()) == []


def test_progress_counts_files_and_bytes(root):
    store, digest = backup([file("a", A), file("b", A, B), file("c")], [A, B])
    progress = Progress()

    restore(root, store, MANIFEST, digest, progress)

    assert (progress.files, progress.bytes) == (3, 2 * len(A) + len(B))
    assert progress.stored_bytes == sum(len(store.objects[name]) for name in store.objects if "tar" in name)


def test_a_large_file_takes_little_memory(root):
    """Half a GiB of pieces that do not shrink, and 4 GiB of zeros."""
    numbers = random.Random(3)
    pieces = [numbers.randbytes(LARGEST_PIECE) for _ in range(32)]
    entries = [file("large", *pieces * 4), file("zeros", *[ZEROS] * 1024)]
    store, digest = backup(
        entries, [], packs=[*(pack(pieces[at : at + 8]) for at in range(0, 32, 8)), pack([ZEROS])]
    )
    del pieces, entries

    with watched_memory() as grown:
        restore(root, store, MANIFEST, digest)

    assert grown() < 256 * 2**20
    assert (root / "zeros").stat().st_size == 4 * 2**30
