"""Versions: what stays of what was replaced or deleted, and what survives a restart."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import storage

from emulators.cloud_storage.kept.disk import Disk
from emulators.cloud_storage.kept.preconditions import Preconditions
from emulators.cloud_storage.kept.records import ObjectRecord
from emulators.cloud_storage.kept.store import Store


def write(bucket: Any, name: str, *contents: str) -> list[int]:
    """Write one content after another; the generations."""
    generations = []
    for content in contents:
        blob = bucket.blob(name)
        blob.upload_from_string(content, retry=None)
        generations.append(blob.generation)
    return generations


def listed(bucket: Any, **arguments: Any) -> list[int]:
    found = bucket.list_blobs(versions=True, retry=None, **arguments)
    return [blob.generation for blob in found]


def test_every_version_is_listed_and_read(versioned: Any) -> None:
    first, second, third = write(versioned, "page", "1", "2", "3")
    assert first < second < third
    assert listed(versioned) == listed(versioned, page_size=1) == [first, second, third]
    assert [blob.generation for blob in versioned.list_blobs(retry=None)] == [third]
    old = versioned.get_blob("page", generation=first, retry=None)
    assert old.download_as_bytes(retry=None) == b"1"
    assert old._properties["timeDeleted"] >= old._properties["timeCreated"]
    assert "timeDeleted" not in versioned.get_blob("page", retry=None)._properties


def test_a_delete_makes_the_live_version_noncurrent(versioned: Any) -> None:
    (only,) = write(versioned, "page", "1")
    versioned.delete_blob("page", retry=None)
    assert versioned.get_blob("page", retry=None) is None
    assert listed(versioned) == [only]
    with pytest.raises(exceptions.NotFound):
        versioned.delete_blob("page", retry=None)


def test_a_delete_by_generation_is_for_good(versioned: Any) -> None:
    """Of a noncurrent version, and of the live one; no older version comes back for it."""
    first, second, third = write(versioned, "page", "1", "2", "3")
    versioned.blob("page", generation=second).delete(retry=None)
    versioned.blob("page", generation=third).delete(retry=None)
    assert listed(versioned) == [first]
    assert versioned.get_blob("page", retry=None) is None


def test_the_metadata_of_a_noncurrent_version_is_its_own(versioned: Any) -> None:
    first, second = write(versioned, "page", "1", "2")
    old = versioned.blob("page", generation=first)
    old.metadata = {"note": "old"}
    old.patch(retry=None)
    assert versioned.get_blob("page", generation=first, retry=None).metadata == {"note": "old"}
    live = versioned.get_blob("page", retry=None)
    assert (live.generation, live.metadata, live.metageneration) == (second, None, 1)


def test_a_noncurrent_version_is_copied_back(versioned: Any) -> None:
    first, _ = write(versioned, "page", "1", "2")
    versioned.copy_blob(versioned.blob("page"), versioned, source_generation=first, retry=None)
    assert versioned.blob("page").download_as_bytes(retry=None) == b"1"
    assert len(listed(versioned)) == 3


def test_without_versioning_nothing_new_is_kept_and_what_is_there_stays(versioned: Any) -> None:
    first, _ = write(versioned, "page", "1", "2")
    versioned.versioning_enabled = False
    versioned.patch(retry=None)
    (third,) = write(versioned, "page", "3")
    assert listed(versioned) == [first, third]


def test_a_bucket_with_noncurrent_versions_is_not_empty(versioned: Any) -> None:
    write(versioned, "page", "1")
    versioned.delete_blob("page", retry=None)
    with pytest.raises(exceptions.Conflict):
        versioned.delete(retry=None)


@pytest.mark.parametrize("hold", ["temporary_hold", "event_based_hold"])
def test_a_held_object_is_neither_deleted_nor_replaced(versioned: Any, hold: str) -> None:
    blob = versioned.blob("page")
    blob.upload_from_string("1", retry=None)
    setattr(blob, hold, True)
    blob.patch(retry=None)
    for act in (
        lambda: versioned.blob("page").upload_from_string("2", retry=None),
        lambda: versioned.blob("page").delete(retry=None),
        lambda: versioned.move_blob(versioned.blob("page"), "other", retry=None),
    ):
        with pytest.raises(exceptions.Forbidden, match="hold"):
            act()
    setattr(blob, hold, False)
    blob.patch(retry=None)
    blob.delete(retry=None)


def test_versions_and_their_settings_outlive_a_kill(
    processes: Any, free_port: Callable[[], int], connect: Any, tmp_path: Path
) -> None:
    """And a generation is never given twice."""
    flags = ("--state", str(tmp_path), "--project", "demo-dormouse")

    def start() -> tuple[storage.Client, Any]:
        port = free_port()
        return connect(f"http://127.0.0.1:{port}"), processes.start("emulators.cloud_storage", port, *flags)

    client, process = start()
    bucket = client.bucket("kept")
    bucket.versioning_enabled = True
    bucket = client.create_bucket(bucket, retry=None)
    generations = write(bucket, "page", "1", "2")
    bucket.delete_blob("page", retry=None)
    gone = write(bucket, "gone", "soon")[0]
    bucket.blob("gone", generation=gone).delete(retry=None)
    processes.kill(process)
    client, _ = start()
    bucket = client.get_bucket("kept", retry=None)
    assert bucket.versioning_enabled
    assert listed(bucket) == generations
    assert bucket.get_blob("page", generation=generations[0], retry=None).download_as_bytes() == b"1"
    assert bucket.restore_blob("gone", generation=gone, retry=None).download_as_bytes() == b"soon"
    assert write(bucket, "page", "3")[0] > gone


async def one_live_object(directory: Path) -> tuple[Disk, ObjectRecord]:
    """A versioned bucket with one object, as it is on disk."""
    disk = Disk(directory)
    store = Store(disk, lambda: datetime.now(UTC))
    await store.put_bucket("bucket", {"versioning": {"enabled": True}})
    writer = store.writer()
    await writer.write(b"content")
    content = await writer.finish()
    return disk, await store.put_object("bucket", "page", content, {}, Preconditions())


def after_restart(directory: Path) -> list[tuple[str, int, bool, bytes]]:
    store = Store(Disk(directory), lambda: datetime.now(UTC))
    records = store.bucket("bucket").versions.records.values()
    return [(r.name, r.generation, r.is_live, store.open(r.content).read()) for r in records]


def test_a_delete_that_a_crash_cut_short_did_not_happen(tmp_path: Path) -> None:
    """The noncurrent version was on disk, but the live one still too."""
    disk, record = asyncio.run(one_live_object(tmp_path))
    kept = replace(record, noncurrent_since=record.created)
    disk.write_object(kept)
    for _ in range(2):
        assert after_restart(tmp_path) == [("page", record.generation, True, b"content")]
    disk.retire_object(record, kept)
    assert after_restart(tmp_path) == [("page", record.generation, False, b"content")]


def test_a_move_that_a_crash_cut_short_is_completed(tmp_path: Path) -> None:
    """The object is there once, and its bytes outlive the restart after that one."""
    disk, record = asyncio.run(one_live_object(tmp_path))
    moved = replace(record, name="moved", generation=record.generation + 1)
    disk.write_object(moved)
    for _ in range(2):
        assert after_restart(tmp_path) == [("moved", moved.generation, True, b"content")]
