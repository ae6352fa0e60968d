"""Whatever happens to stored objects, a restore gives the right bytes, or none at all.

About a thousand corruptions. Twenty thousand, with what they came to:
BACKUP_CORRUPTIONS=20000 pytest --log-cli-level=INFO tests/agent/backup/test_corruption.py
"""

import logging
import os
import random
import shutil
from collections import Counter

import pytest
from agent.backup.failures import ArchiveRefusedError
from agent.backup.restoring.restore import restore_newest
from agent.backup.saving.save import save
from agent.backup.walk import STAGING_PREFIX

from tests.agent.backup.oracle import STEM, MemoryStore
from tests.agent.backup.tree import tree_hash

SEED = 77_000
CORRUPTIONS = int(os.environ.get("BACKUP_CORRUPTIONS", "1000"))
_LOG = logging.getLogger(__name__)


class Watched(MemoryStore):
    """A store that looks, at every read, whether anything is in the workspace already."""

    def __init__(self, objects, root):
        super().__init__(objects)
        self._root = root

    def get(self, name, most):
        assert all(os.fsencode(one).startswith(STAGING_PREFIX) for one in os.listdir(self._root))
        yield from super().get(name, most)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return (objects, [(name, sha256)], {name: hash of the tree}) of two backups, the newer one upon the older."""
    place, store = tmp_path_factory.mktemp("source"), MemoryStore()
    numbers = random.Random(SEED)
    (place / "d").mkdir()
    for number in range(20):
        (place / "d" / f"f{number}").write_bytes(numbers.randbytes(numbers.randrange(900)))
    (place / "cut").write_bytes(numbers.randbytes(9_000) * 130)
    (place / "link").symlink_to("d/f1")
    older = save(place, store, STEM)
    trees = {older.name: tree_hash(place)}
    for number in range(0, 20, 9):
        (place / "d" / f"f{number}").write_bytes(numbers.randbytes(700))
    newer = save(place, store, STEM.replace("1-", "2-"), older.index)
    trees[newer.name] = tree_hash(place)
    return store.objects, [(newer.name, newer.sha256), (older.name, older.sha256)], trees


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """The objects of somebody else's backup."""
    place, store = tmp_path_factory.mktemp("foreign"), MemoryStore()
    (place / "theirs").write_bytes(b"theirs")
    save(place, store, STEM)
    return list(store.objects.values())


class Corruption:
    """Changes objects, once or a few times; what it does follows from the numbers alone."""

    def __init__(self, numbers, objects, foreign):
        self._numbers, self._objects, self._foreign = numbers, objects, foreign

    def run(self):
        kinds = sorted(name for name in dir(self) if name.startswith("do_"))
        for _ in range(self._numbers.choice([1, 1, 1, 2, 5])):
            name = self._numbers.choice(sorted(self._objects))
            getattr(self, self._numbers.choice(kinds))(name, self._objects[name])
        return self._objects

    def _range(self, content):
        start = self._numbers.randrange(len(content) + 1)
        return start, min(len(content), start + self._numbers.choice([1, 2, 16, 500, 10_000]))

    def do_flip(self, name, content):
        if content:
            at = self._numbers.randrange(len(content))
            flipped = content[at] ^ 1 << self._numbers.randrange(8)
            self._objects[name] = content[:at] + bytes([flipped]) + content[at + 1 :]

    def do_truncate(self, name, content):
        self._objects[name] = content[: self._range(content)[0]]

    def do_lose_the_beginning(self, name, content):
        self._objects[name] = content[self._range(content)[0] :]

    def do_append(self, name, content):
        self._objects[name] = content + self._numbers.choice([b"\0", content, bytes(512), content[:100]])

    def do_duplicate(self, name, content):
        start, end = self._range(content)
        self._objects[name] = content[:end] + content[start:]

    def do_drop(self, name, content):
        start, end = self._range(content)
        self._objects[name] = content[:start] + content[end:]

    def do_blank(self, name, content):
        start, end = self._range(content)
        self._objects[name] = content[:start] + bytes(end - start) + content[end:]

    def do_exchange_ranges(self, name, content):
        (start, end), other = self._range(content), self._range(content)[0]
        self._objects[name] = content[:start] + content[other : other + end - start] + content[end:]

    def do_swap(self, name, content):
        other = self._numbers.choice(sorted(self._objects))
        self._objects[name], self._objects[other] = self._objects[other], content

    def do_copy_another(self, name, content):
        self._objects[name] = self._objects[self._numbers.choice(sorted(self._objects))]

    def do_take_a_foreign_one(self, name, content):
        self._objects[name] = self._numbers.choice(self._foreign)

    def do_remove(self, name, content):
        if len(self._objects) > 1:
            del self._objects[name]


@pytest.mark.timeout(3600)
def test_a_restore_gives_the_right_bytes_or_none(tmp_path, stored, foreign):
    """Seeded, so that a failure names the corruption that caused it."""
    objects, candidates, trees = stored
    figures = Counter()
    for seed in range(SEED, SEED + CORRUPTIONS):
        root = tmp_path / str(seed)
        root.mkdir()
        corrupted = Corruption(random.Random(seed), dict(objects), foreign).run()
        restored = _restored(root, corrupted, candidates)
        if restored is None:
            assert os.listdir(root) == [], f"seed {seed} left something behind"
        else:
            assert tree_hash(root) == trees[restored.name], f"seed {seed} gave wrong bytes"
        figures[_outcome(restored, corrupted == objects)] += 1
        shutil.rmtree(root)

    _LOG.info("%s", dict(figures))
    assert figures["none whole"]
    assert figures["the older one"]


def _restored(root, objects, candidates):
    try:
        return restore_newest(root, Watched(objects, root), candidates)
    except ArchiveRefusedError:
        return None


def _outcome(restored, is_same):
    if restored is None:
        return "none whole"
    if restored.refused:
        return "the older one"
    return (
        "the newer one, nothing changed" if is_same else "the newer one, which needs nothing of what changed"
    )
