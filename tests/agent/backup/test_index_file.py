"""An index in a file comes back as it was, or not at all."""

import os
import random

import pytest
from agent.backup.command.index_file import NoIndexError, decode_index, encode_index, owner, write_index
from agent.backup.command.recall import recall
from agent.backup.saving.save import save
from agent.backup.stores.directory import DirectoryStore

from tests.agent.workspaces import furnish

STEM = "00000001/00000001-0123abcd"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "workspace"
    root.mkdir()
    furnish(root)
    return root


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def saved(root, store):
    return save(root, store, STEM)


@pytest.fixture
def file(tmp_path, root, saved):
    path = tmp_path / "cache" / "an.index"
    write_index(path, owner(saved.name, saved.sha256, root), saved.index)
    return path


def test_it_comes_back_as_it_was_and_the_next_save_has_nothing_to_do(file, root, store, saved):
    of, index = recall(file, store, root)

    assert (of.name, of.sha256, index) == (saved.name, saved.sha256, saved.index)
    assert save(root, store, "00000001/00000002-0123abcd", index) is None


def test_nothing_but_it_is_left_behind_and_nobody_else_can_read_it(file):
    assert os.listdir(file.parent) == [file.name]
    assert file.stat().st_mode & 0o077 == 0


def test_any_damage_to_it_is_found(file):
    content, numbers = file.read_bytes(), random.Random(1)
    harmed = [content[: numbers.randrange(len(content))] for _ in range(100)]
    for _ in range(300):
        at = numbers.randrange(len(content))
        harmed.append(content[:at] + bytes([content[at] ^ 1 << numbers.randrange(8)]) + content[at + 1 :])

    for one in (*harmed, content + b"\0", content + content, b"", b"x" * 100):
        with pytest.raises(NoIndexError):
            decode_index(one)


def test_that_of_another_directory_is_not_believed(file, store, tmp_path):
    other = tmp_path / "other"
    other.mkdir()

    with pytest.raises(NoIndexError, match="another directory"):
        recall(file, store, other)


def test_that_of_a_directory_that_was_made_anew_under_its_name_is_not_believed(file, store, root):
    root.rename(root.with_name("away"))
    root.mkdir()

    with pytest.raises(NoIndexError, match="another directory"):
        recall(file, store, root)


def test_that_of_another_store_is_not_believed(file, root, tmp_path):
    with pytest.raises(NoIndexError, match="not in this store"):
        recall(file, DirectoryStore(tmp_path / "another"), root)


def test_that_of_a_backup_that_lacks_a_pack_by_now_is_not_believed(file, root, store, saved, tmp_path):
    (tmp_path / "store" / saved.packs[0].name).unlink()

    with pytest.raises(NoIndexError, match="lacks a pack"):
        recall(file, store, root)


def test_that_of_a_manifest_that_is_another_one_by_now_is_not_believed(file, root, store, saved, tmp_path):
    place = tmp_path / "store" / saved.name
    content = place.read_bytes()
    place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(NoIndexError, match="not in this store"):
        recall(file, store, root)


def test_one_that_contradicts_its_backup_is_not_believed(root, store, saved, tmp_path):
    (root / "new").write_text("new")
    later = save(root, store, "00000001/00000002-0123abcd", saved.index)
    file = tmp_path / "an.index"
    write_index(file, owner(saved.name, saved.sha256, root), later.index)

    with pytest.raises(NoIndexError, match="contradicts"):
        recall(file, store, root)


def test_where_there_is_none_nothing_is_noted(store, root, tmp_path):
    assert recall(tmp_path / "none", store, root) is None


def test_one_that_cannot_be_written_leaves_the_one_before(file, root, saved, monkeypatch):
    before = file.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_index(file, owner(saved.name, saved.sha256, root), saved.index)

    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_names_that_are_no_text_survive(file):
    _, index = decode_index(file.read_bytes())

    assert b"\xff\xfe not utf-8" in index.paths
    assert encode_index(*decode_index(file.read_bytes())) == file.read_bytes()
