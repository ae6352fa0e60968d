"""Packs arrive by signed URLs whatever the line does, and nothing is taken for stored that is not."""

import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import httpx2
import pytest
from agent.backup.failures import (
    ArchiveRefusedError,
    GrantRefusedError,
    NameTakenError,
    NoObjectError,
    StoreUnreachableError,
)
from agent.backup.form.bounds import LARGEST_PACK
from agent.backup.progress import StoppedError
from agent.backup.stores.granted import GrantedStore
from agent.backup.stores.grants import Grants, NoGrantError, ReadGrant, WriteGrant

from tests.agent.backup.relay import Change, Relay
from tests.agent.backup.signed_cloud import Cloud, start_cloud
from tests.emulator_processes import (
    IdentityEmulator,
    eventually,
    identity_emulator,
    start_emulator,
)

__all__ = ["identity_emulator", "start_emulator"]

CONTENT = os.urandom(3_000_000)
NEVER = (3600.0,)
"""Pauses of a store that must not have to try again."""


@pytest.fixture(scope="module")
def cloud(start_emulator: Callable[..., int], identity_emulator: IdentityEmulator) -> Iterator[Cloud]:
    with pytest.MonkeyPatch.context() as patch:
        yield start_cloud(start_emulator, identity_emulator, patch)


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"projects/demo/{uuid4().hex}/00000001/00000001-0123abcd-0000.tar.zst"


@pytest.fixture
def grants() -> Grants:
    return Grants(patience=0)


@pytest.fixture
def store(grants: Grants) -> Iterator[GrantedStore]:
    """A store that tries four times, at once."""
    with GrantedStore(grants, pauses=(0.0, 0.0, 0.0)) as store:
        yield store


@pytest.fixture
def single(grants: Grants) -> Iterator[GrantedStore]:
    """A store that would wait for an hour before it tries again."""
    with GrantedStore(grants, pauses=NEVER) as store:
        yield store


def test_the_largest_pack_goes_and_comes_in_bounded_pieces(
    cloud: Cloud, single: GrantedStore, grants: Grants, name: str
) -> None:
    pack = os.urandom(LARGEST_PACK)
    grants.add(cloud.write(name), cloud.read(name))

    single.put(name, pack)
    pieces = list(single.get(name, LARGEST_PACK))

    assert b"".join(pieces) == pack
    assert max(map(len, pieces)) <= 2**20


def test_nothing_is_a_content_too(cloud: Cloud, single: GrantedStore, grants: Grants, name: str) -> None:
    grants.add(cloud.write(name), cloud.read(name))
    single.put(name, b"")
    assert b"".join(single.get(name, 100)) == b""


def test_no_more_is_read_than_was_asked_for(
    cloud: Cloud, single: GrantedStore, grants: Grants, name: str
) -> None:
    grants.add(cloud.write(name), cloud.read(name))
    single.put(name, CONTENT)

    read = b"".join(single.get(name, 500_000))

    assert 500_000 < len(read) <= 500_000 + 2**20
    assert CONTENT.startswith(read)


@pytest.mark.parametrize(
    "outage",
    [
        {"effect": "error", "code": "UNAVAILABLE"},
        {"effect": "error", "code": "RESOURCE_EXHAUSTED"},
        {"effect": "error", "code": "INTERNAL"},
        {"effect": "drop"},
    ],
    ids=["503", "429", "500", "no answer"],
)
def test_a_short_outage_is_not_noticed(
    cloud: Cloud, store: GrantedStore, grants: Grants, name: str, outage: dict[str, str]
) -> None:
    grants.add(cloud.write(name), cloud.read(name))
    counts = [cloud.fault(method=method, name=name, times=3, **outage) for method in ("insert", "get")]

    store.put(name, CONTENT)

    assert b"".join(store.get(name, len(CONTENT))) == CONTENT
    assert [count() for count in counts] == [3, 3]


def test_a_long_outage_is_told_as_one(cloud: Cloud, store: GrantedStore, grants: Grants, name: str) -> None:
    grants.add(cloud.write(name), cloud.read(name))
    counts = [cloud.fault("error", method, name) for method in ("insert", "get")]

    with pytest.raises(StoreUnreachableError, match="503"):
        store.put(name, CONTENT)
    with pytest.raises(StoreUnreachableError, match="503"):
        list(store.get(name, 100))

    assert [count() for count in counts] == [4, 4]


def test_a_lost_answer_is_no_failure(cloud: Cloud, store: GrantedStore, grants: Grants, name: str) -> None:
    """The second attempt is told 412, of the object that the first one made."""
    grants.add(cloud.write(name))
    lost = cloud.fault("drop", "insert", name, when="after", times=1)

    store.put(name, CONTENT)

    assert (cloud.content(name), lost()) == (CONTENT, 1)


def test_what_is_stored_already_can_be_stored_again_but_nothing_else_in_its_place(
    cloud: Cloud, single: GrantedStore, grants: Grants, name: str
) -> None:
    grants.add(cloud.write(name))
    single.put(name, CONTENT)
    single.put(name, CONTENT)

    with pytest.raises(NameTakenError):
        single.put(name, b"something else")

    assert cloud.content(name) == CONTENT


def test_what_others_stored_is_not_taken_for_ours(
    cloud: Cloud, single: GrantedStore, grants: Grants, name: str
) -> None:
    cloud.bucket.blob(name).upload_from_string(b"theirs", retry=None)
    grants.add(cloud.write(name))

    with pytest.raises(NameTakenError):
        single.put(name, CONTENT)

    assert cloud.content(name) == b"theirs"


def through(relay: Relay, cloud: Cloud, grant: WriteGrant) -> WriteGrant:
    host = cloud.url.removeprefix("http://")
    return WriteGrant(grant.name, grant.url.replace(host, relay.address), {**grant.headers, "Host": host})


def cut(passed: int, data: bytes) -> bytes | None:
    return None if passed > len(CONTENT) // 2 else data


def damage(passed: int, data: bytes) -> bytes:
    return bytes(len(data)) if 0 <= passed - len(CONTENT) // 2 < 100_000 else data


@pytest.mark.parametrize("change", [cut, damage])
def test_an_upload_that_breaks_or_is_damaged_half_way_is_sent_again(
    cloud: Cloud, store: GrantedStore, grants: Grants, name: str, change: Change
) -> None:
    relay = Relay(cloud.url.removeprefix("http://"), change)
    grants.add(through(relay, cloud, cloud.write(name)))

    store.put(name, CONTENT)

    assert cloud.content(name) == CONTENT
    relay.close()


def test_a_download_goes_on_where_it_broke_off(
    cloud: Cloud, store: GrantedStore, grants: Grants, name: str
) -> None:
    """More often than there are attempts, for each brings it further."""
    grants.add(cloud.write(name), cloud.read(name))
    store.put(name, CONTENT)
    broken = cloud.fault("drop", "get", name, when="after", times=5)

    assert b"".join(store.get(name, len(CONTENT))) == CONTENT
    assert broken() == 5


def test_two_contents_are_never_joined(cloud: Cloud, store: GrantedStore, grants: Grants, name: str) -> None:
    grants.add(cloud.write(name), cloud.read(name))
    store.put(name, CONTENT)
    cloud.fault("drop", "get", name, when="after", times=1)

    reading = store.get(name, len(CONTENT))
    next(reading)
    cloud.bucket.blob(name).upload_from_string(os.urandom(len(CONTENT)), retry=None)

    with pytest.raises(ArchiveRefusedError, match="changed"):
        list(reading)


def test_what_is_not_there_is_missing(cloud: Cloud, single: GrantedStore, grants: Grants, name: str) -> None:
    grants.add(cloud.read(name))
    with pytest.raises(NoObjectError):
        list(single.get(name, 100))


def test_a_pack_above_the_grant_is_refused(
    cloud: Cloud, single: GrantedStore, grants: Grants, name: str
) -> None:
    grants.add(cloud.write(name))
    with pytest.raises(GrantRefusedError, match="EntityTooLarge"):
        single.put(name, bytes(LARGEST_PACK + 1))


def test_a_refusal_shows_no_credential(
    cloud: Cloud, single: GrantedStore, grants: Grants, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither does what is logged of a store that works."""
    caplog.set_level(logging.DEBUG)
    grant = cloud.read(name)
    grants.add(cloud.write(name), ReadGrant(name, grant.url + "0", {}))
    single.put(name, CONTENT)

    with pytest.raises(GrantRefusedError, match="403") as refused:
        list(single.get(name, 100))

    shown = "".join(traceback.format_exception(refused.value)) + caplog.text + repr(grant)
    assert "X-Goog-Signature" not in shown


def test_without_a_grant_the_work_can_be_done_later(single: GrantedStore, name: str) -> None:
    with pytest.raises(NoGrantError) as missing:
        single.put(name, CONTENT)
    assert missing.value.temporary


def test_work_waits_for_a_grant_and_goes_on_with_it(cloud: Cloud, name: str) -> None:
    grants = Grants()
    with GrantedStore(grants, pauses=NEVER) as store:
        work = threading.Thread(target=store.put, args=(name, CONTENT), daemon=True)
        work.start()
        eventually(lambda: grants.wanted(WriteGrant) == (name,), 60)
        assert grants.wanted(ReadGrant) == ()

        grants.add(cloud.write(name))
        work.join(60)

    assert grants.wanted(WriteGrant) == ()
    assert cloud.content(name) == CONTENT


@pytest.mark.parametrize("waits_for", ["a grant", "the next attempt"])
def test_work_that_waits_can_be_called_off(cloud: Cloud, name: str, waits_for: str) -> None:
    grants, ends = Grants(), []
    reached = lambda: grants.wanted(WriteGrant) == (name,)  # noqa: E731
    if waits_for == "the next attempt":
        grants.add(cloud.write(name))
        hits = cloud.fault("error", "insert", name)
        reached = lambda: hits() == 1  # noqa: E731

    def work() -> None:
        try:
            store.put(name, CONTENT)
        except StoppedError as error:
            ends.append(error)

    with GrantedStore(grants, pauses=NEVER) as store:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        eventually(reached, 60)
        grants.stop()
        thread.join(60)

    assert len(ends) == 1


def test_work_outlasts_its_grants(
    start_emulator: Callable[..., int],
    identity_emulator: IdentityEmulator,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """An instance that stood still comes back with grants that have expired; it takes the next ones."""
    cloud = start_cloud(start_emulator, identity_emulator, monkeypatch)
    grants = Grants()
    grants.add(cloud.write(name))
    ahead = f"{cloud.url}/emulator/v1/clock:advance"
    httpx2.post(ahead, json={"seconds": 16 * 60}, trust_env=False).raise_for_status()
    with GrantedStore(grants, pauses=(0.0,)) as store:
        work = threading.Thread(target=store.put, args=(name, CONTENT), daemon=True)
        work.start()
        eventually(lambda: grants.wanted(WriteGrant) == (name,), 60)

        grants.add(cloud.write(name, expiration=timedelta(hours=1)))
        work.join(60)

    assert cloud.content(name) == CONTENT
