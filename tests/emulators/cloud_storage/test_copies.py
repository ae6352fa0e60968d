"""Copies: rewrites in several calls, moves in one step, and what goes along."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from google.api_core import exceptions
from google.cloud import storage

MEBIBYTE = 1 << 20
Rewrite = Callable[..., Any]


@pytest.fixture
def source(bucket: Any) -> Any:
    """Five MiB with everything that can be told of an object."""
    blob = bucket.blob("source")
    blob.metadata = {"a": "1"}
    blob.cache_control = "no-store"
    blob.upload_from_string(bytes(5 * MEBIBYTE), content_type="text/plain", retry=None)
    return blob


@pytest.fixture
def rewrite(bucket: Any, endpoint: str) -> Rewrite:
    """Asks to rewrite the source to "target"."""

    def ask(body: dict[str, Any] | None = None, **query: Any) -> Any:
        path = f"/storage/v1/b/{bucket.name}/o/source/rewriteTo/b/{bucket.name}/o/target"
        return httpx2.post(endpoint + path, params=query, json=body or {}, trust_env=False)

    return ask


def test_a_bounded_rewrite_into_another_class_takes_several_calls(
    bucket: Any, source: Any, rewrite: Rewrite
) -> None:
    asked = {"body": {"storageClass": "NEARLINE"}, "maxBytesRewrittenPerCall": 2 * MEBIBYTE}
    answer = rewrite(**asked).json()
    seen = [(answer["totalBytesRewritten"], answer["done"])]
    while not answer["done"]:
        assert not bucket.blob("target").exists(retry=None)
        answer = rewrite(**asked, rewriteToken=answer["rewriteToken"]).json()
        seen.append((answer["totalBytesRewritten"], answer["done"]))
    assert seen == [(str(n * MEBIBYTE), n == 5) for n in (2, 4, 5)]
    target = bucket.get_blob("target", retry=None)
    assert (target.storage_class, target.content_type, target.metadata) == (
        "NEARLINE",
        "text/plain",
        {"a": "1"},
    )
    assert target.md5_hash == source.md5_hash


def test_within_a_class_one_call_is_enough(source: Any, rewrite: Rewrite) -> None:
    answer = rewrite(maxBytesRewrittenPerCall=MEBIBYTE).json()
    assert (answer["done"], answer["totalBytesRewritten"]) == (True, str(5 * MEBIBYTE))
    assert "rewriteToken" not in answer


def test_a_token_is_good_for_its_own_rewrite_only(source: Any, rewrite: Rewrite) -> None:
    asked = {"body": {"storageClass": "NEARLINE"}, "maxBytesRewrittenPerCall": MEBIBYTE}
    token = rewrite(**asked).json()["rewriteToken"]
    assert rewrite(**asked, rewriteToken="nonsense").status_code == 400
    assert (
        rewrite(**asked | {"maxBytesRewrittenPerCall": 2 * MEBIBYTE}, rewriteToken=token).status_code == 400
    )
    assert rewrite(**asked | {"maxBytesRewrittenPerCall": 1000}).status_code == 400
    source.upload_from_string("changed", retry=None)
    assert rewrite(**asked, rewriteToken=token).status_code == 400


def test_the_client_changes_a_class_in_place(bucket: Any, source: Any) -> None:
    before = source.generation
    source.update_storage_class("COLDLINE", retry=None)
    found = bucket.get_blob("source", retry=None)
    assert (found.storage_class, found.content_type) == ("COLDLINE", "text/plain")
    assert found.generation > before
    found.storage_class = "STANDARD"
    with pytest.raises(exceptions.BadRequest):
        found.patch(retry=None)


def test_a_copy_takes_the_class_of_where_it_goes(client: storage.Client, bucket: Any, source: Any) -> None:
    other = client.bucket(f"{bucket.name}-cold")
    other.storage_class = "COLDLINE"
    other = client.create_bucket(other, retry=None)
    copied = bucket.copy_blob(source, other, "copy", retry=None)
    assert (copied.storage_class, copied.cache_control, copied.metadata) == (
        "COLDLINE",
        "no-store",
        {"a": "1"},
    )


CALLS: dict[str, Callable[[Any, Any, dict[str, int]], object]] = {
    "copy": lambda bucket, blob, given: bucket.copy_blob(blob, bucket, "target", retry=None, **given),
    "rewrite": lambda bucket, blob, given: bucket.blob("target").rewrite(blob, retry=None, **given),
    "move": lambda bucket, blob, given: bucket.move_blob(blob, "target", retry=None, **given),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("side", ["source_", ""])
@pytest.mark.parametrize("kind", ["generation", "metageneration"])
def test_a_condition_on_either_side_stops_it(bucket: Any, call: str, side: str, kind: str) -> None:
    """Match and not-match, of the source and of what is there already; the right numbers let it through."""
    for name in ("source", "target"):
        bucket.blob(name).upload_from_string(name, retry=None)
    named = bucket.get_blob("source" if side else "target", retry=None)
    right, act = getattr(named, kind), CALLS[call]
    with pytest.raises(exceptions.PreconditionFailed):
        act(bucket, bucket.blob("source"), {f"if_{side}{kind}_match": right + 1})
    with pytest.raises(exceptions.NotModified):
        act(bucket, bucket.blob("source"), {f"if_{side}{kind}_not_match": right})
    assert bucket.blob("target").download_as_bytes(retry=None) == b"target"
    assert bucket.blob("source").download_as_bytes(retry=None) == b"source"
    act(bucket, bucket.blob("source"), {f"if_{side}{kind}_match": right})
    assert bucket.blob("target").download_as_bytes(retry=None) == b"source"


def test_a_move_leaves_nothing_behind(bucket: Any, source: Any) -> None:
    """Not even something to restore; what it replaced can be."""
    bucket.blob("target").upload_from_string("old", retry=None)
    moved = bucket.move_blob(source, "target", retry=None)
    assert (moved.metageneration, moved.content_type, moved.metadata) == (1, "text/plain", {"a": "1"})
    assert moved.generation > source.generation
    assert [blob.name for blob in bucket.list_blobs(versions=True, retry=None)] == ["target"]
    assert [blob.name for blob in bucket.list_blobs(soft_deleted=True, retry=None)] == ["target"]
    with pytest.raises(exceptions.BadRequest):
        bucket.move_blob(moved, "target", retry=None)


def test_of_many_moves_of_one_object_one_wins(bucket: Any) -> None:
    """Twenty at once to twenty names: the object is there once."""
    for number in range(5):
        bucket.blob("source").upload_from_string("x", retry=None)

        def move(thread: int, number: int = number) -> bool:
            try:
                bucket.move_blob(bucket.blob("source"), f"{number}-{thread}", retry=None)
            except exceptions.NotFound:
                return False
            return True

        with ThreadPoolExecutor(20) as threads:
            assert sum(threads.map(move, range(20))) == 1
        assert len(list(bucket.list_blobs(prefix=f"{number}-", retry=None))) == 1


def test_two_moves_that_cross_do_not_wait_for_each_other_forever(bucket: Any) -> None:
    for _ in range(20):
        for name in ("a", "b"):
            bucket.blob(name).upload_from_string(name, retry=None)

        def move(names: tuple[str, str]) -> None:
            source, target = names
            try:
                bucket.move_blob(bucket.blob(source), target, retry=None, timeout=60)
            except exceptions.NotFound:
                return

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(move, [("a", "b"), ("b", "a")]))
        assert len(list(bucket.list_blobs(retry=None))) == 1
