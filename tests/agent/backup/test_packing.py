"""A pack is a tar that anybody can read, in frames that fit in memory, and no larger than its form allows."""

import hashlib
import random
import subprocess
import threading

import pytest
import zstandard
from agent.backup.failures import StoreUnreachableError
from agent.backup.form.bounds import (
    LARGEST_FRAME,
    LARGEST_PACK,
    LARGEST_PACK_CONTENT,
    LARGEST_PIECE,
    PACK,
    PACK_NAME,
)
from agent.backup.progress import Progress
from agent.backup.restoring.unpacking import split
from agent.backup.saving.packing import UPLOADS, Packs

from tests.agent.backup.keeping import members

STEM = "00000001/00000001-0123abcd"


def pack(store, contents):
    """Pack some blobs; returns the finished packs."""
    with Packs(store, STEM, Progress()) as packs:
        for content in contents:
            packs.add(hashlib.sha256(content).digest(), content)
        packs.finish()
    return packs


def distinct(count, size, seed=1):
    numbers = random.Random(seed)
    return [numbers.randbytes(size) for _ in range(count)]


def test_every_blob_lies_where_the_index_says_in_the_order_it_was_added(keeping):
    contents = [
        *distinct(300, 10_000),
        *distinct(20, LARGEST_PIECE, 2),
        b"x",
        bytes(511),
        bytes(512),
        bytes(513),
    ]

    packs = pack(keeping, contents)

    found = []
    for place, made in enumerate(packs.packs):
        for name, content in members(keeping.objects[made.name]):
            assert hashlib.sha256(content).hexdigest() == name
            assert packs.blobs[bytes.fromhex(name)] == place
            found.append(content)
    assert found == contents


def test_packs_are_named_and_described_as_they_are(keeping):
    packs = pack(keeping, distinct(10, LARGEST_PIECE))

    assert len(packs.packs) == 3
    for made in packs.packs:
        content = keeping.objects[made.name]
        assert PACK_NAME.fullmatch(made.name)
        assert (made.size, made.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert made.size <= LARGEST_PACK
        frames = list(split(memoryview(content), made.content))
        assert sum(frame.content for frame in frames) == made.content
        assert all(frame.content <= LARGEST_FRAME for frame in frames)
        assert frames[-1].is_last
    assert all(made.size >= PACK for made in packs.packs[:-1])


def test_other_programs_unpack_it(keeping, tmp_path):
    contents = [*distinct(50, 3000), bytes(5_000_000)]
    [made] = pack(keeping, contents).packs
    (tmp_path / "pack.tar.zst").write_bytes(keeping.objects[made.name])
    plain = zstandard.ZstdDecompressor().stream_reader(keeping.objects[made.name], read_across_frames=True)

    subprocess.run(["tar", "-x", "-C", tmp_path], input=plain.read(), check=True)

    names = {hashlib.sha256(content).hexdigest(): content for content in contents}
    assert {path.name for path in tmp_path.iterdir()} == {*names, "pack.tar.zst"}
    assert all((tmp_path / name).read_bytes() == content for name, content in names.items())


def test_a_blob_is_packed_once(keeping):
    packs = pack(keeping, [b"one", b"two", b"one"] * 1000)

    [made] = packs.packs
    assert [content for _, content in members(keeping.objects[made.name])] == [b"one", b"two"]


def test_content_that_shrinks_to_nothing_does_not_make_a_pack_of_any_length(keeping):
    contents = (number.to_bytes(8, "big") + bytes(LARGEST_PIECE - 8) for number in range(80))

    packs = pack(keeping, contents)

    assert len(packs.packs) == 2
    assert all(made.content <= LARGEST_PACK_CONTENT for made in packs.packs)


def test_lists_lie_in_packs_of_their_own(keeping):
    with Packs(keeping, STEM, Progress()) as packs:
        packs.add(hashlib.sha256(b"file").digest(), b"file")
        packs.turn_to_lists()
        packs.add(hashlib.sha256(b"list").digest(), b"list")
        packs.finish()

    assert [made.holds_lists for made in packs.packs] == [False, True]
    assert [members(keeping.objects[made.name])[0][1] for made in packs.packs] == [b"file", b"list"]


def test_nothing_added_is_nothing_stored(keeping):
    packs = pack(keeping, [])

    assert packs.packs == []
    assert keeping.objects == {}


def test_the_content_may_change_once_it_was_added(keeping):
    buffer = bytearray(b"before")
    with Packs(keeping, STEM, Progress()) as packs:
        packs.add(hashlib.sha256(b"before").digest(), memoryview(buffer))
        buffer[:] = b"after!"
        packs.finish()

    [made] = packs.packs
    assert members(keeping.objects[made.name])[0][1] == b"before"


def test_whoever_adds_waits_for_a_slow_store_with_few_packs_in_memory():
    """The store holds every put until somebody waits for it, so that only a bounded packer comes to an end."""

    class Slow:
        def __init__(self):
            self.lock, self.inside, self.most = threading.Lock(), 0, 0

        def put(self, name, content):
            with self.lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            threading.Event().wait(0.05)
            with self.lock:
                self.inside -= 1

    store = Slow()
    packs = pack(store, distinct(40, LARGEST_PIECE))

    assert len(packs.packs) == 10
    assert 1 < store.most <= UPLOADS


def test_a_failure_of_the_store_ends_the_packing_before_all_is_read(keeping):
    keeping.fails_at = 2
    added = 0

    def add_all():
        nonlocal added
        with Packs(keeping, STEM, Progress()) as packs:
            for content in distinct(60, LARGEST_PIECE):
                packs.add(hashlib.sha256(content).digest(), content)
                added += 1

    with pytest.raises(StoreUnreachableError):
        add_all()

    assert added < 60
