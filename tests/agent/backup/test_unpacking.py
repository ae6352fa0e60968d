"""A pack gives the blobs that our writer put in, and nothing else is taken for one."""

import io
import tarfile

import pytest
import zstandard
from agent.backup.failures import ArchiveRefusedError
from agent.backup.form.bounds import LARGEST_FRAME
from agent.backup.restoring.unpacking import split, unpack

from tests.agent.backup.hostile_packs import BOMBS, MEMBERS, PACKS, A, B, plain
from tests.agent.backup.memory import watched_memory
from tests.agent.backup.oracle import END, frame, frames, sha256


def read(parts, content):
    """Return {name: content} of a pack made of these parts."""
    blobs = [blob for one in split(memoryview(b"".join(parts)), content) for blob in unpack(one)]
    return {blob.id.hex(): bytes(blob.content) for blob in blobs}


def test_the_blobs_come_out_as_they_went_in():
    contents = [A, B, b"c", bytes(3 * 2**20)]
    length = sum(512 + len(one) + -len(one) % 512 for one in contents) + len(END)

    assert read(frames(contents, 1000), length) == {sha256(one): one for one in contents}


def test_a_pack_is_a_tar_to_every_reader():
    whole = b"".join(zstandard.ZstdDecompressor().decompress(one) for one in frames([A, B]))

    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert {one.name: tar.extractfile(one).read() for one in tar} == {sha256(A): A, sha256(B): B}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_that_we_would_not_write_is_refused(name):
    with pytest.raises(ArchiveRefusedError):
        read(*plain(MEMBERS[name]))


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_that_we_would_not_write_is_refused(name):
    with pytest.raises(ArchiveRefusedError):
        read(*PACKS[name])


@pytest.mark.parametrize("name", BOMBS)
def test_a_frame_takes_no_more_memory_than_the_largest_of_ours(name):
    with watched_memory() as grown, pytest.raises(ArchiveRefusedError):
        read([BOMBS[name], frame(END)], LARGEST_FRAME)

    assert grown() < 3 * LARGEST_FRAME
