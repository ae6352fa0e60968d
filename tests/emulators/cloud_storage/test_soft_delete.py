"""Soft delete: for some days what was deleted can be listed and restored, and then it is gone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.api_core import exceptions
from google.cloud import storage

DAY = 86_400


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the emulator of this module keeps its files."""
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def endpoint(processes: Any, free_port: Callable[[], int], state: Path) -> str:
    """An emulator whose clock these tests move."""
    port = free_port()
    processes.start("emulators.cloud_storage", port, "--state", str(state), "--project", "demo-dormouse")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def advance(endpoint: str) -> Callable[[float], None]:
    """Moves its clock by so many seconds."""

    def move(seconds: float) -> None:
        url = f"{endpoint}/emulator/v1/clock:advance"
        answer = httpx2.post(url, json={"seconds": seconds}, trust_env=False, timeout=60)
        answer.raise_for_status()

    return move


def deleted(bucket: Any, name: str, content: str = "x") -> int:
    """Write and delete an object; its generation."""
    blob = bucket.blob(name)
    blob.upload_from_string(content, retry=None)
    generation: int = blob.generation
    bucket.delete_blob(name, retry=None)
    return generation


def soft_deleted(bucket: Any) -> list[str]:
    return [blob.name for blob in bucket.list_blobs(soft_deleted=True, retry=None)]


def test_a_deleted_object_is_listed_and_restored(bucket: Any) -> None:
    generation = deleted(bucket, "page", "content")
    assert not bucket.blob("page").exists(retry=None)
    (found,) = bucket.list_blobs(soft_deleted=True, retry=None)
    assert (found.name, found.generation) == ("page", generation)
    assert (found.hard_delete_time - found.soft_delete_time).total_seconds() == 7 * DAY
    restored = bucket.restore_blob("page", generation=generation, retry=None)
    assert restored.generation > generation
    assert restored.metageneration == 1
    assert restored.soft_delete_time is None
    assert bucket.blob("page").download_as_bytes(retry=None) == b"content"


def test_a_replaced_object_can_be_restored_too(bucket: Any) -> None:
    old = bucket.blob("page")
    old.upload_from_string("old", retry=None)
    bucket.blob("page").upload_from_string("new", retry=None)
    bucket.restore_blob("page", generation=old.generation, retry=None)
    assert bucket.blob("page").download_as_bytes(retry=None) == b"old"
    assert soft_deleted(bucket) == ["page", "page"]


def test_a_soft_deleted_object_is_neither_read_nor_changed(bucket: Any, endpoint: str) -> None:
    generation = deleted(bucket, "page")
    blob = bucket.blob("page", generation=generation)
    for act in (blob.download_as_bytes, blob.patch, blob.delete):
        with pytest.raises(exceptions.NotFound):
            act(retry=None)
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/page?softDeleted=true&generation={generation}"
    assert httpx2.get(f"{url}&alt=media", trust_env=False).status_code == 400
    assert httpx2.get(url, trust_env=False).json()["generation"] == str(generation)


def test_to_get_one_takes_its_generation(bucket: Any, endpoint: str) -> None:
    deleted(bucket, "page")
    answer = httpx2.get(f"{endpoint}/storage/v1/b/{bucket.name}/o/page?softDeleted=true", trust_env=False)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "required")


def test_a_restore_minds_its_conditions(bucket: Any) -> None:
    generation = deleted(bucket, "page", "old")
    bucket.blob("page").upload_from_string("new", retry=None)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.restore_blob("page", generation=generation, if_generation_match=0, retry=None)
    assert bucket.blob("page").download_as_bytes(retry=None) == b"new"
    with pytest.raises(exceptions.NotFound):
        bucket.restore_blob("page", generation=generation + 1, retry=None)


def test_a_bucket_without_the_policy_forgets_at_once(bucket: Any, state: Path) -> None:
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.patch(retry=None)
    before = len(list((state / "contents").iterdir()))
    deleted(bucket, "page")
    assert soft_deleted(bucket) == []
    assert len(list((state / "contents").iterdir())) == before


def test_the_time_counts_that_held_when_it_was_deleted(
    bucket: Any, advance: Callable[[float], None], state: Path
) -> None:
    """And when that is over nothing is left of it, neither in lists nor on disk."""
    before = len(list((state / "contents").iterdir()))
    short = deleted(bucket, "short")
    bucket.soft_delete_policy.retention_duration_seconds = 30 * DAY
    bucket.patch(retry=None)
    deleted(bucket, "long")
    advance(7 * DAY + 1)
    assert soft_deleted(bucket) == ["long"]
    with pytest.raises(exceptions.NotFound):
        bucket.restore_blob("short", generation=short, retry=None)
    advance(23 * DAY + 3600)
    assert soft_deleted(bucket) == []
    assert len(list((state / "contents").iterdir())) <= before


def test_soft_deleted_objects_do_not_hold_up_the_end_of_a_bucket(
    client: storage.Client, bucket: Any, state: Path
) -> None:
    before = len(list((state / "contents").iterdir()))
    deleted(bucket, "page")
    bucket.delete(retry=None)
    again = client.create_bucket(bucket.name, retry=None)
    assert soft_deleted(again) == []
    assert len(list((state / "contents").iterdir())) == before
