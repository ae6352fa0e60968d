"""What is in a workspace is in its backup, to the byte, the mode and the nanosecond; and nothing is stored twice."""

import base64
import hashlib
import os
import random
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from agent.backup.failures import StoreUnreachableError, WorkspaceError
from agent.backup.form.bounds import LARGEST_PIECE, MOST_BYTES
from agent.backup.progress import Progress, StoppedError
from agent.backup.saving.scan import is_changed

from tests.agent.backup.keeping import KeepingStore, blobs, contents, entries, manifest, save_into
from tests.agent.workspaces import furnish, tree


def _described(store, saved):
    """Return what a backup says, as `tree` does of a directory."""
    pieces = blobs(store, saved, "files")
    kinds = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "link": stat.S_IFLNK}
    found = {}
    for line in entries(store, saved):
        path, content = _bytes(line, "path"), b""
        if line["type"] == "link":
            content = _bytes(line, "target")
        elif line["type"] == "file":
            names = [line["sha256"]] if "sha256" in line else [name for name, _ in line.get("pieces", [])]
            content = hashlib.sha256(b"".join(pieces[name] for name in names)).digest()
        found[path] = (kinds[line["type"]] | line.get("mode", 0o777), line["mtime"], content)
    return found


def _bytes(line, key):
    return line[key].encode() if key in line else base64.b64decode(line[f"{key}Base64"])


def test_everything_that_is_easily_lost_is_in_the_backup(root, keeping):
    furnish(root)

    saved = save_into(keeping, root)

    assert _described(keeping, saved) == tree(root)
    assert saved.index.manifest.files == 510
    assert saved.index.manifest.skipped == saved.index.manifest.changed == ()


def test_entries_come_with_directories_first_and_names_in_the_order_of_their_bytes(root, keeping):
    for name in ("b", "a-b", "a.b", "a/z", "a/b/c", "\U0001f400", "\uffff", "Z"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    open(os.fsencode(root) + b"/\xf0", "wb").close()

    saved = save_into(keeping, root)

    paths = [_bytes(line, "path") for line in entries(keeping, saved)]
    assert paths == sorted(paths, key=lambda path: path.split(b"/"))
    assert list(saved.index.paths) == paths


def test_an_unchanged_workspace_is_not_saved_again(root, keeping):
    furnish(root)
    saved = save_into(keeping, root)
    puts = keeping.puts

    assert save_into(keeping, root, saved) is None
    assert not is_changed(root, saved.index)
    assert keeping.puts == puts


def test_an_empty_workspace_has_a_backup(root, keeping):
    saved = save_into(keeping, root)

    assert entries(keeping, saved) == []
    assert manifest(keeping, saved)["packs"] == []
    assert save_into(keeping, root, saved) is None


def test_a_change_of_few_files_stores_those_and_their_lists_alone(root, keeping):
    furnish(root)
    first = save_into(keeping, root)
    (root / "node_modules" / "p3" / "f3.js").write_text("another content")
    (root / "empty").unlink()
    (root / "new").write_text("new content")

    second = save_into(keeping, root, first)

    files = [pack for pack in second.packs if not pack.holds_lists]
    [pack] = files
    assert pack.content == 2 * 1024 + 1024
    assert second.stored_bytes == sum(pack.size for pack in second.packs) + second.size
    assert second.stored_bytes < first.stored_bytes / 100
    assert _described(keeping, second) == tree(root)


def test_the_same_files_make_the_same_backup(root, keeping):
    furnish(root)
    one, other = save_into(keeping, root), save_into(keeping, root)

    assert one.index.manifest.lists == other.index.manifest.lists
    assert list(one.index.paths) == list(other.index.paths)
    assert one.index.blobs.keys() == other.index.blobs.keys()


def test_what_is_renamed_is_not_stored_again(root, keeping):
    numbers = random.Random(2)
    (root / "before").mkdir()
    for number in range(40):
        (root / "before" / str(number)).write_bytes(numbers.randbytes(100_000))
    first = save_into(keeping, root)
    (root / "before").rename(root / "after")

    second = save_into(keeping, root, first)

    assert [pack.holds_lists for pack in second.packs] == [True]
    assert _described(keeping, second) == tree(root)


def test_a_byte_put_into_a_large_file_stores_a_piece_or_two(root, keeping):
    content = random.Random(3).randbytes(100_000_000)
    (root / "large").write_bytes(content)
    first = save_into(keeping, root)
    known = blobs(keeping, first, "files").keys()
    (root / "large").write_bytes(content[:50_000_000] + b"!" + content[50_000_000:])

    second = save_into(keeping, root, first)

    assert 1 <= len(blobs(keeping, second, "files").keys() - known) <= 2
    assert second.stored_bytes < 2 * LARGEST_PIECE + 50_000
    assert contents(keeping, second)["large"][50_000_000:50_000_001] == b"!"


def test_a_sparse_file_costs_what_is_in_it(root, keeping):
    with open(root / "disk", "wb") as file:
        file.truncate(4 * 2**30)
        file.seek(2**30 + 12_345)
        file.write(b"island")

    saved = save_into(keeping, root)

    [line] = entries(keeping, saved)
    assert line["size"] == sum(size for _, size in line["pieces"]) == 4 * 2**30
    assert saved.stored_bytes < 50_000
    assert sum(len(blob) for blob in blobs(keeping, saved, "files").values()) < 5 * LARGEST_PIECE
    before, island = 0, None
    pieces = blobs(keeping, saved, "files")
    for name, size in line["pieces"]:
        if b"island" in pieces[name]:
            island = before + pieces[name].index(b"island")
        before += size
    assert island == 2**30 + 12_345


def test_hard_links_are_stored_as_the_files_they_are_and_once(root, keeping):
    (root / "one").write_text("shared")
    os.link(root / "one", root / "two")

    saved = save_into(keeping, root)

    assert contents(keeping, saved) == {"one": b"shared", "two": b"shared"}
    assert len(blobs(keeping, saved, "files")) == 1


def test_a_file_that_holds_the_bytes_of_a_list_is_stored_with_the_files(root, keeping):
    (root / "a").write_text("a")
    first = save_into(keeping, root)
    [content] = blobs(keeping, first, "lists").values()
    (root / "b").write_bytes(content)

    second = save_into(keeping, root, first)
    (root / "c").write_bytes(b"".join(blobs(keeping, second, "lists").values()))
    third = save_into(keeping, root, second)

    assert contents(keeping, second)["b"] == content
    assert contents(keeping, third)["b"] == content


def test_a_file_of_the_bytes_of_a_list_outlives_that_list(root, keeping):
    """Both are known by one name, and whichever goes must not take the other along."""
    for number in range(40):
        (root / f"{number:02}").write_text(str(number))
    saved = save_into(keeping, root)
    copies = {
        f"zz{number}": content for number, content in enumerate(blobs(keeping, saved, "lists").values())
    }
    for name, content in copies.items():
        (root / name).write_bytes(content)

    for number in range(4):
        saved = save_into(keeping, root, saved)
        assert copies.items() <= contents(keeping, saved).items()
        (root / f"zzz{number}").write_text("more")


def test_what_is_no_file_is_named_and_never_waited_for(root, keeping):
    os.mkfifo(root / "fifo")
    os.mkfifo(root / "fifo\nwith a newline")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    (root / "file").write_text("x")

    saved = save_into(keeping, root)

    assert list(contents(keeping, saved)) == ["file"]
    assert {item["path"] for item in manifest(keeping, saved)["skipped"]} == {
        "fifo",
        "fifo\nwith a newline",
        "socket",
    }
    assert not is_changed(root, saved.index)


def test_what_may_not_be_read_is_named_and_tried_again(keeping):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "workspace"
        root.mkdir()
        (root / "closed").write_text("x")
        (root / "closed").chmod(0)
        (root / "closed directory").mkdir(mode=0)
        (root / "open").write_text("y")
        Path(directory).chmod(0o755)
        with Nobody():
            saved = save_into(keeping, root)
            assert list(contents(keeping, saved)) == ["open"]
            skipped = {item["path"] for item in manifest(keeping, saved)["skipped"]}
            assert skipped == {"closed", "closed directory"}
            assert save_into(keeping, root, saved) is None
            assert not is_changed(root, saved.index)
        (root / "closed").chmod(0o644)
        with Nobody():
            assert is_changed(root, saved.index)
            assert contents(keeping, save_into(keeping, root, saved))["closed"] == b"x"


class Nobody:
    """Root may read everything, so it is not root that reads."""

    def __enter__(self):
        if os.getuid() == 0:
            os.seteuid(65534)

    def __exit__(self, *_):
        os.seteuid(os.getuid())


def test_a_file_that_is_larger_than_a_backup_may_be_is_named_and_the_rest_is_saved(root, keeping):
    with open(root / "huge", "wb") as file:
        file.truncate(MOST_BYTES + 1)
    (root / "other").write_text("x")

    saved = save_into(keeping, root)

    assert contents(keeping, saved) == {"other": b"x"}
    [(path, why)] = saved.index.manifest.skipped
    assert (path, why) == ("huge", "with it the workspace would be larger than a backup can hold")
    assert not is_changed(root, saved.index)


def test_at_most_a_hundred_are_named(root, keeping):
    for number in range(150):
        os.mkfifo(root / f"fifo{number:03}")

    saved = save_into(keeping, root)

    assert len(saved.index.manifest.skipped) == 100


def test_what_lies_too_deep_is_named_and_the_rest_is_saved(root, keeping):
    here = os.getcwd()
    try:
        os.chdir(root)
        for _ in range(140):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    (root / "file").write_text("x")

    saved = save_into(keeping, root)

    assert len(entries(keeping, saved)) == 129
    [(path, why)] = saved.index.manifest.skipped
    assert path == "/".join("d" * 129)
    assert "too deep" in why


def test_a_save_that_the_store_fails_leaves_no_manifest_and_the_next_one_is_whole(root, keeping):
    numbers = random.Random(4)
    for number in range(5):
        (root / str(number)).write_bytes(numbers.randbytes(9_000_000))
    puts = len(save_into(KeepingStore(), root).packs) + 1
    assert puts == 5

    for at in range(1, puts + 1):
        keeping.puts, keeping.fails_at = 0, at
        with pytest.raises(StoreUnreachableError):
            save_into(keeping, root)
        assert keeping.manifests == []
    keeping.fails_at = None

    saved = save_into(keeping, root)
    assert contents(keeping, saved) == {path.name: path.read_bytes() for path in root.iterdir()}


def test_a_store_that_raises_what_it_must_not_does_not_make_files_unreadable(root, keeping):
    class Leaky:
        def put(self, name, content):
            raise PermissionError("from below")

    (root / "large").write_bytes(random.Random(5).randbytes(40_000_000))

    with pytest.raises(WorkspaceError):
        save_into(Leaky(), root)


def test_a_save_that_is_called_off_ends_without_a_manifest(root, keeping):
    furnish(root)
    progress = Progress()
    progress.stop()

    with pytest.raises(StoppedError):
        save_into(keeping, root, progress=progress)

    assert keeping.manifests == []


def test_progress_counts_what_was_read_and_stored(root, keeping):
    (root / "a").write_bytes(bytes(1000))
    (root / "b").write_bytes(random.Random(6).randbytes(2_000_000))
    progress = Progress()

    saved = save_into(keeping, root, progress=progress)

    assert (progress.files, progress.bytes) == (2, 2_001_000)
    assert progress.stored_bytes == saved.stored_bytes == sum(map(len, keeping.objects.values()))


def test_a_workspace_that_is_not_there_is_no_backup(tmp_path, keeping):
    with pytest.raises(FileNotFoundError):
        save_into(keeping, tmp_path / "nowhere")
