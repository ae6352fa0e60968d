"""A check of a backup reads every byte of it, finds what a restore would refuse, and writes nothing."""

import pytest
from agent.backup.failures import ArchiveRefusedError, NoObjectError, StoreUnreachableError
from agent.backup.progress import Progress, StoppedError
from agent.backup.restoring.verify import verify
from agent.backup.saving.save import save

from tests.agent.backup.oracle import MANIFEST, STEM, MemoryStore, backup, directory, file, pack

A, B = b"alpha", b"beta" * 300


@pytest.fixture
def sound():
    return backup([directory("d"), file("d/a", A), file("e", A, B)], [A, B])


def test_a_whole_backup_is_found_to_be_one(sound):
    store, digest = sound

    verified = verify(store, MANIFEST, digest)

    assert (verified.name, verified.sha256) == (MANIFEST, digest)
    assert (verified.manifest.entries, verified.manifest.files) == (3, 2)
    assert verified.stored_bytes == sum(map(len, store.objects.values()))
    assert sorted(store.read) == sorted(store.objects)


def test_what_we_saved_is_found_to_be_whole(tmp_path):
    (tmp_path / "a").write_bytes(A)
    (tmp_path / "b").symlink_to("a")
    store = MemoryStore()
    saved = save(tmp_path, store, STEM)

    assert verify(store, saved.name, saved.sha256).manifest == saved.index.manifest


def test_each_byte_of_each_object_counts(sound):
    store, digest = sound
    for name, whole in list(store.objects.items()):
        for at in range(len(whole)):
            store.objects[name] = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            with pytest.raises(ArchiveRefusedError):
                verify(store, MANIFEST, digest)
        store.objects[name] = whole
    verify(store, MANIFEST, digest)


def test_each_object_has_to_be_there(sound):
    store, digest = sound
    for name in list(store.objects):
        whole = store.objects.pop(name)
        with pytest.raises(NoObjectError):
            verify(store, MANIFEST, digest)
        store.objects[name] = whole


def test_a_pack_that_nothing_needs_has_to_be_whole_all_the_same():
    """The next save counts on what lies in it."""
    spare = pack([b"spare"])
    store, digest = backup([file("a", A)], [], packs=[pack([A]), spare])
    store.objects[f"{STEM}-0001.tar.zst"] = spare.object[:-1]

    with pytest.raises(ArchiveRefusedError):
        verify(store, MANIFEST, digest)


def test_a_store_that_cannot_be_reached_is_not_called_damage():
    class Gone:
        def get(self, name, most):
            raise StoreUnreachableError("gone")

    with pytest.raises(StoreUnreachableError):
        verify(Gone(), MANIFEST, None)


def test_it_can_be_called_off(sound):
    store, digest = sound
    progress = Progress()
    progress.stop()

    with pytest.raises(StoppedError):
        verify(store, MANIFEST, digest, progress)
