"""The newest whole backup comes back: one that is damaged is passed over and named, and nothing else is a reason."""

import pytest
from agent.backup.failures import GrantRefusedError, NoObjectError, StoreUnreachableError
from agent.backup.restoring.restore import NoneWholeError, restore, restore_newest

from tests.agent.backup.oracle import MANIFEST, STEM, MemoryStore, backup, file, manifest_name

A, B = b"alpha", b"beta" * 300


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


class Loses:
    """A store that gives one object wrongly the first times it is asked."""

    def __init__(self, store, name, times):
        self._store, self._name, self._times = store, name, times

    def get(self, name, most):
        content = b"".join(self._store.get(name, most))
        if name == self._name and self._times:
            self._times -= 1
            content = content[:-1]
        yield content


@pytest.mark.parametrize("name", [MANIFEST, f"{STEM}-0000.tar.zst", f"{STEM}-0001.tar.zst"])
def test_bytes_that_were_lost_on_the_way_are_asked_for_again(root, name):
    store, digest = backup([file("a", A)], [A])

    restore(root, Loses(store, name, 1), MANIFEST, digest)

    assert (root / "a").read_bytes() == A


class Fails:
    """A store that fails at one object."""

    def __init__(self, store, name, failure):
        self._store, self._name, self._failure = store, name, failure

    def get(self, name, most):
        if name == self._name:
            raise self._failure
        yield from self._store.get(name, most)


OLD_STEM = "00000001/00000000-0123abcd"
OLD = manifest_name(OLD_STEM)


@pytest.fixture
def two():
    """A store with two backups: the newer one has `a`, the older one `b`."""
    newer, digest = backup([file("a", A)], [A])
    older, old_digest = backup([file("b", B)], [B], stem=OLD_STEM)
    return MemoryStore({**newer.objects, **older.objects}), [(MANIFEST, digest), (OLD, old_digest)]


def test_the_newest_backup_is_restored(root, two):
    restored = restore_newest(root, *two)

    assert ([path.name for path in root.iterdir()], restored.name, restored.refused) == (["a"], MANIFEST, ())


@pytest.mark.parametrize("part", ["manifest", "0000.tar", "0001.tar"])
@pytest.mark.parametrize("damage", ["missing", "flipped", "truncated", "longer", "empty"])
def test_after_a_damaged_one_comes_the_one_before_and_it_is_said_why(root, two, part, damage):
    store, candidates = two
    name = next(name for name in store.objects if name.startswith(STEM) and part in name)
    whole = store.objects.pop(name)
    changed = {
        "flipped": bytes([*whole[:-1], whole[-1] ^ 1]),
        "truncated": whole[:-1],
        "longer": whole + b"x",
        "empty": b"",
    }
    if damage in changed:
        store.objects[name] = changed[damage]

    restored = restore_newest(root, store, candidates)

    assert ([path.name for path in root.iterdir()], restored.name) == (["b"], OLD)
    assert [(one.name, one.reason) for one in restored.refused] == [
        (MANIFEST, "BACKUP_MISSING" if damage == "missing" else "BACKUP_CORRUPT")
    ]
    assert name in restored.refused[0].why


@pytest.mark.parametrize("failure", [StoreUnreachableError("gone"), GrantRefusedError("no")])
@pytest.mark.parametrize("part", ["manifest.json.zst", "0000.tar.zst", "0001.tar.zst"])
def test_a_store_that_cannot_be_reached_is_no_reason_for_an_older_one(root, two, failure, part):
    store, candidates = two
    name = next(name for name in store.objects if name.startswith(STEM) and name.endswith(part))

    with pytest.raises(type(failure)):
        restore_newest(root, Fails(store, name, failure), candidates)

    assert list(root.iterdir()) == []


def test_if_none_is_whole_each_is_named_with_its_reason(root):
    store = MemoryStore({OLD: b"junk"})

    with pytest.raises(NoneWholeError) as caught:
        restore_newest(root, store, [(MANIFEST, None), (OLD, None)])

    assert [one.reason for one in caught.value.refused] == ["BACKUP_MISSING", "BACKUP_CORRUPT"]
    assert list(root.iterdir()) == []


def test_of_no_backup_there_is_nothing_to_restore(root):
    with pytest.raises(NoneWholeError, match="there is no backup"):
        restore_newest(root, MemoryStore(), [])


def test_a_backup_that_is_not_there_is_said_to_be_missing(root):
    with pytest.raises(NoObjectError):
        restore(root, MemoryStore(), MANIFEST, None)
