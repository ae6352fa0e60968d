"""The contract of the port `BackupStore`, held by the one in memory and by Cloud Storage with signed URLs alike."""

import base64
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import google_crc32c
import httpx2
import pytest

from shared.adapters.cloud_storage import CloudStorageBackups, storage_client
from shared.adapters.memory.backups import MemoryBackups
from shared.adapters.memory.clock import START, FakeClock
from shared.adapters.signing import BlobSigner
from shared.domain.errors import DormouseError, NotFound, Unavailable
from shared.ports import BackupStore, Grant
from tests.emulator_processes import (
    API,
    BUCKET,
    PROJECT,
    RUNTIME,
    IdentityEmulator,
    identity_emulator,
    start_emulator,
    storage_host,
)

__all__ = ["identity_emulator", "start_emulator", "storage_host"]

CONTENT = b"all the files of a workspace"


class GrantRefused(Exception):
    """The store did not take the grant."""


@dataclass
class Bench:
    """A store, and what an agent does with its grants."""

    store: BackupStore
    put: Callable[[Grant, bytes], None]
    get: Callable[[Grant], bytes]
    now: Callable[[], datetime]

    def stored(self, name: str, content: bytes = CONTENT) -> str:
        self.put(self.store.upload_grant(name), content)
        return name


def in_memory() -> Bench:
    clock = FakeClock(START)
    store = MemoryBackups(clock)

    def refusing(call: Callable[..., bytes | None]) -> Callable[..., bytes | None]:
        def tried(*arguments: object) -> bytes | None:
            try:
                return call(*arguments)
            except DormouseError as error:
                raise GrantRefused(str(error)) from error

        return tried

    return Bench(store, refusing(store.upload), refusing(store.download), clock.now)  # type: ignore[arg-type]


def on_cloud_storage(host: str, identity: IdentityEmulator, patch: pytest.MonkeyPatch) -> Bench:
    patch.setenv("STORAGE_EMULATOR_HOST", host)
    identity.become(API, patch)
    signer = BlobSigner(API, identity.url)
    return Bench(
        CloudStorageBackups(lambda: storage_client(PROJECT), BUCKET, signer),
        put,
        get,
        lambda: datetime.now(UTC),
    )


def put(grant: Grant, content: bytes) -> None:
    _answered(httpx2.put(grant.url, headers=dict(grant.headers), content=content, trust_env=False))


def get(grant: Grant) -> bytes:
    return _answered(httpx2.get(grant.url, headers=dict(grant.headers), trust_env=False)).content


def _answered(answer: httpx2.Response) -> httpx2.Response:
    if answer.status_code != 200:
        raise GrantRefused(answer.text)
    return answer


@pytest.fixture(params=["memory", "cloud_storage"])
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A store of backups."""
    if request.param == "memory":
        return in_memory()
    host, identity = (request.getfixturevalue(name) for name in ("storage_host", "identity_emulator"))
    return on_cloud_storage(host, identity, monkeypatch)


@pytest.fixture
def prefix() -> str:
    """Names of this test alone."""
    return f"pr-demo/{uuid.uuid4().hex}/"


@pytest.mark.parametrize("name", ["1/1.tar.zst", "mit Leerzeichen/ä%2F+&?#.zst"])
def test_what_is_uploaded_with_a_grant_can_be_downloaded_with_another(
    bench: Bench, prefix: str, name: str
) -> None:
    bench.stored(prefix + name)
    assert bench.get(bench.store.download_grant(prefix + name)) == CONTENT


def test_an_upload_grant_never_overwrites(bench: Bench, prefix: str) -> None:
    """Of two agents with a grant for one name, the second is refused and the first one's bytes stay."""
    name = prefix + "1"
    late = bench.store.upload_grant(name)
    bench.stored(name)
    with pytest.raises(GrantRefused):
        bench.put(late, b"something else")
    assert bench.get(bench.store.download_grant(name)) == CONTENT


def test_a_grant_is_for_one_direction_only(bench: Bench, prefix: str) -> None:
    name = bench.stored(prefix + "1")
    with pytest.raises(GrantRefused):
        bench.get(bench.store.upload_grant(name))
    with pytest.raises(GrantRefused):
        bench.put(bench.store.download_grant(name), b"something else")


def test_stat_shows_size_checksum_and_time(bench: Bench, prefix: str) -> None:
    name = bench.stored(prefix + "1")
    found = bench.store.stat(name)
    assert found is not None
    checksum = base64.b64encode(google_crc32c.Checksum(CONTENT).digest()).decode()
    assert (found.name, found.size, found.crc32c) == (name, len(CONTENT), checksum)
    assert abs(found.time - bench.now()) < timedelta(seconds=30)


def test_what_was_never_stored_has_no_stat(bench: Bench, prefix: str) -> None:
    assert bench.store.stat(prefix + "nothing") is None


@pytest.mark.parametrize("content", [b"", CONTENT, bytes(range(256)) * 20_000], ids=["empty", "small", "5MB"])
def test_sha256_is_that_of_the_stored_bytes(bench: Bench, prefix: str, content: bytes) -> None:
    name = bench.stored(prefix + "1", content)
    assert bench.store.sha256(name) == hashlib.sha256(content).hexdigest()


def test_sha256_of_nothing_is_not_found(bench: Bench, prefix: str) -> None:
    with pytest.raises(NotFound):
        bench.store.sha256(prefix + "nothing")


def test_list_gives_what_begins_with_the_prefix_in_order(bench: Bench, prefix: str) -> None:
    names = [bench.stored(prefix + end) for end in ("2/b", "1/a", "10/a")]
    bench.stored(f"pr-demo/other-{uuid.uuid4().hex}/1")
    assert [found.name for found in bench.store.list(prefix)] == sorted(names)


def test_a_deleted_object_is_absent_and_deleting_it_again_is_done(bench: Bench, prefix: str) -> None:
    name = bench.stored(prefix + "1")
    bench.store.delete(name)
    assert bench.store.stat(name) is None
    bench.store.delete(name)


def test_a_cloud_storage_grant_is_for_one_name_only(
    storage_host: str, identity_emulator: IdentityEmulator, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """An agent that bends its URL to another workstation's object is refused."""
    bench = on_cloud_storage(storage_host, identity_emulator, monkeypatch)
    mine = bench.stored(prefix + "mine")
    bench.stored(prefix + "theirs", b"somebody else's")
    grant = bench.store.download_grant(mine)
    with pytest.raises(GrantRefused):
        get(Grant(url=grant.url.replace("/mine?", "/theirs?")))


def test_cloud_storage_hashes_what_is_stored_even_if_it_claims_to_be_compressed(
    storage_host: str, identity_emulator: IdentityEmulator, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """The holder of a grant chooses the Content-Encoding; it must not make us unpack anything."""
    bench = on_cloud_storage(storage_host, identity_emulator, monkeypatch)
    grant = bench.store.upload_grant(prefix + "1")
    put(Grant(url=grant.url, headers={**grant.headers, "Content-Encoding": "gzip"}), CONTENT)
    assert bench.store.sha256(prefix + "1") == hashlib.sha256(CONTENT).hexdigest()


def test_cloud_storage_grants_cannot_be_signed_as_somebody_else(
    storage_host: str, identity_emulator: IdentityEmulator, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """IAM refuses, and the refusal is of this call alone: it says what to look at."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_host)
    identity_emulator.become(RUNTIME, monkeypatch)
    signer = BlobSigner(API, identity_emulator.url)
    store = CloudStorageBackups(lambda: storage_client(PROJECT), BUCKET, signer)
    with pytest.raises(Unavailable, match="role") as refused:
        store.upload_grant(prefix + "1")
    assert refused.value.reason == "PERMISSION_DENIED"
