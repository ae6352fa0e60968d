"""Generation and metageneration conditions hold on every call, and under twenty threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx2
import pytest
from google.api_core import exceptions
from google.cloud.storage.exceptions import InvalidResponse

THREADS = 20
Act = Callable[[Any, dict[str, int]], object]


def winners(act: Callable[[int], object]) -> int:
    """How many of twenty simultaneous calls succeed; the others must fail by their precondition."""
    together = Barrier(THREADS)

    def attempt(number: int) -> bool:
        together.wait()
        try:
            act(number)
        except exceptions.PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(attempt, range(THREADS)))


def test_one_of_twenty_creates_the_object(bucket: Any) -> None:
    """In each of fifty rounds; and what it wrote is what stays."""
    for number in range(50):
        blobs = [bucket.blob(f"once-{number}") for _ in range(THREADS)]

        def create(thread: int, blobs: list[Any] = blobs) -> None:
            blobs[thread].upload_from_string(f"by {thread}", if_generation_match=0, retry=None)

        assert winners(create) == 1
        winner = next(thread for thread, blob in enumerate(blobs) if blob.generation)
        assert bucket.blob(f"once-{number}").download_as_text(retry=None) == f"by {winner}"


def test_one_of_twenty_replaces_a_generation(bucket: Any) -> None:
    blob = bucket.blob("replaced")
    blob.upload_from_string("old", retry=None)

    def replace(thread: int) -> None:
        bucket.blob("replaced").upload_from_string(
            str(thread), if_generation_match=blob.generation, retry=None
        )

    assert winners(replace) == 1


def test_one_of_twenty_changes_the_metadata(bucket: Any) -> None:
    blob = bucket.blob("changed")
    blob.upload_from_string("x", retry=None)

    def change(thread: int) -> None:
        mine = bucket.blob("changed")
        mine.metadata = {"by": str(thread)}
        mine.patch(if_metageneration_match=1, retry=None)

    assert winners(change) == 1
    assert bucket.get_blob("changed", retry=None).metageneration == 2


def test_unconditional_writers_leave_one_whole_object(bucket: Any) -> None:
    """Twenty at once: the object is one of the contents, whole, under the last generation."""
    contents = [bytes([number]) * 300_000 for number in range(THREADS)]

    def write(thread: int) -> None:
        bucket.blob("last").upload_from_string(contents[thread], retry=None)

    assert winners(write) == THREADS
    assert bucket.blob("last").download_as_bytes(retry=None) in contents


CALLS: dict[str, Act] = {
    "upload": lambda blob, given: blob.upload_from_string("new", retry=None, **given),
    "patch": lambda blob, given: blob.patch(retry=None, **given),
    "update": lambda blob, given: blob.update(retry=None, **given),
    "delete": lambda blob, given: blob.delete(retry=None, **given),
    "reload": lambda blob, given: blob.reload(retry=None, **given),
    "download": lambda blob, given: blob.download_as_bytes(retry=None, **given),
    "compose": lambda blob, given: blob.compose([blob], retry=None, **given),
    "rewrite": lambda blob, given: blob.rewrite(blob, retry=None, **given),
    "open": lambda blob, given: write_file(blob, given),
}


def write_file(blob: Any, given: dict[str, int]) -> None:
    with blob.open("wb", retry=None, **given) as file:
        file.write(b"new")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("condition", ["if_generation_match", "if_metageneration_match"])
def test_a_condition_that_fails_stops_the_call(bucket: Any, call: str, condition: str) -> None:
    """On every call, and without a trace; the right number lets it through."""
    blob = bucket.blob("guarded")
    blob.upload_from_string("old", retry=None)
    right = blob.generation if condition == "if_generation_match" else blob.metageneration
    with pytest.raises((exceptions.PreconditionFailed, InvalidResponse), match="412"):
        CALLS[call](bucket.blob("guarded"), {condition: right + 1})
    assert bucket.blob("guarded").download_as_bytes(retry=None) == b"old"
    assert bucket.get_blob("guarded", retry=None).metageneration == 1
    CALLS[call](bucket.blob("guarded"), {condition: right})


def test_if_generation_not_match_needs_an_object(bucket: Any) -> None:
    """Whatever the number; the answer is 304, which no client retries."""
    for number in (0, 7):
        with pytest.raises(exceptions.NotModified):
            bucket.blob("new").upload_from_string("x", if_generation_not_match=number, retry=None)
    assert not bucket.blob("new").exists(retry=None)


def test_a_reader_whose_copy_is_current_is_told_so(bucket: Any, endpoint: str) -> None:
    blob = bucket.blob("cached")
    blob.upload_from_string("x", retry=None)
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/cached"
    for ask in (
        {"params": {"alt": "media", "ifGenerationNotMatch": blob.generation}},
        {"params": {"alt": "media"}, "headers": {"If-None-Match": f'"{blob.etag}"'}},
    ):
        answer = httpx2.get(url, trust_env=False, **ask)
        assert (answer.status_code, answer.content) == (304, b"")


def test_an_etag_that_does_not_match_stops_a_read(bucket: Any) -> None:
    blob = bucket.blob("tagged")
    blob.upload_from_string("x", retry=None)
    assert blob.download_as_bytes(if_etag_match=blob.etag, retry=None) == b"x"
    with pytest.raises(exceptions.PreconditionFailed):
        blob.download_as_bytes(if_etag_match="other", retry=None)


def test_an_old_generation_is_gone(bucket: Any) -> None:
    """Without versioning a replaced generation is not found, also through its media link."""
    old = bucket.blob("twice")
    old.upload_from_string("1", retry=None)
    link = bucket.get_blob("twice", retry=None).media_link
    new = bucket.blob("twice")
    new.upload_from_string("2", retry=None)
    assert new.generation > old.generation
    assert bucket.get_blob("twice", generation=old.generation, retry=None) is None
    assert httpx2.get(link, trust_env=False).status_code == 404


def test_a_condition_that_is_no_number_is_refused(bucket: Any, endpoint: str) -> None:
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/x"
    assert httpx2.delete(url, params={"ifGenerationMatch": "zero"}, trust_env=False).status_code == 400
