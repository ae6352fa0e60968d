"""Lifecycle rules: what they say of a version, and that they are carried out by the emulator's clock."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from emulators.cloud_storage.kept.records import Content, ObjectRecord
from emulators.cloud_storage.lifecycle.rules import Seen, judge, parse_rules

DAY = 86_400
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
RECORD = ObjectRecord(
    bucket="bucket",
    name="logs/page.txt",
    generation=1,
    metageneration=1,
    content=Content("file", 1, "crc32c", None),
    created=NOW - timedelta(days=10),
    updated=NOW,
    attributes={"customTime": "2026-03-01T00:00:00Z"},
)
NONCURRENT = replace(RECORD, noncurrent_since=NOW - timedelta(days=2))


def rule(action: str, **condition: Any) -> dict[str, Any]:
    kind, _, storage_class = action.partition(" ")
    return {"action": {"type": kind, "storageClass": storage_class}, "condition": condition}


def decided(record: ObjectRecord, *rules: dict[str, Any], newer: int = 0) -> str | None:
    chosen = judge(parse_rules({"rule": list(rules)}), Seen(record, newer), NOW).rule
    return None if chosen is None else chosen.storage_class or chosen.action


@pytest.mark.parametrize(
    ("condition", "record", "newer", "holds"),
    [
        ({"age": 10}, RECORD, 0, True),
        ({"age": 11}, RECORD, 0, False),
        ({"age": 0}, RECORD, 0, True),
        ({"createdBefore": "2026-03-22"}, RECORD, 0, True),
        ({"createdBefore": "2026-03-21"}, RECORD, 0, False),
        ({"customTimeBefore": "2026-03-02"}, RECORD, 0, True),
        ({"customTimeBefore": "2026-03-01"}, RECORD, 0, False),
        ({"customTimeBefore": "2026-03-02"}, replace(RECORD, attributes={}), 0, False),
        ({"daysSinceCustomTime": 30}, RECORD, 0, True),
        ({"daysSinceCustomTime": 31}, RECORD, 0, False),
        ({"daysSinceCustomTime": 0}, replace(RECORD, attributes={}), 0, False),
        ({"isLive": True}, RECORD, 0, True),
        ({"isLive": False}, RECORD, 0, False),
        ({"isLive": False}, NONCURRENT, 1, True),
        ({"daysSinceNoncurrentTime": 2}, NONCURRENT, 1, True),
        ({"daysSinceNoncurrentTime": 3}, NONCURRENT, 1, False),
        ({"daysSinceNoncurrentTime": 0}, RECORD, 0, False),
        ({"noncurrentTimeBefore": "2026-03-30"}, NONCURRENT, 1, True),
        ({"noncurrentTimeBefore": "2026-03-29"}, NONCURRENT, 1, False),
        ({"noncurrentTimeBefore": "2026-03-30"}, RECORD, 0, False),
        ({"numNewerVersions": 2}, NONCURRENT, 2, True),
        ({"numNewerVersions": 2}, NONCURRENT, 1, False),
        ({"matchesPrefix": ["data/", "logs/"]}, RECORD, 0, True),
        ({"matchesPrefix": ["LOGS/"]}, RECORD, 0, False),
        ({"matchesSuffix": [".txt"]}, RECORD, 0, True),
        ({"matchesSuffix": [".csv"]}, RECORD, 0, False),
        ({"matchesStorageClass": ["STANDARD"]}, RECORD, 0, True),
        ({"matchesStorageClass": ["NEARLINE"]}, RECORD, 0, False),
        ({"age": 10, "matchesSuffix": [".csv"]}, RECORD, 0, False),
    ],
    ids=str,
)
def test_a_rule_holds_when_all_its_conditions_do(
    condition: dict[str, Any], record: ObjectRecord, newer: int, holds: bool
) -> None:
    assert decided(record, rule("Delete", **condition), newer=newer) == ("Delete" if holds else None)


def test_a_version_is_looked_at_again_when_its_next_rule_comes_due() -> None:
    """The latest of a rule's times, the earliest of the rules; never for what only a change can bring about."""
    rules = [
        rule("Delete", age=30, daysSinceCustomTime=60),
        rule("SetStorageClass ARCHIVE", age=20),
        rule("Delete", isLive=False, age=11),
    ]
    day = RECORD.created
    for chosen, expected in (
        (rules[:1], datetime(2026, 4, 30, tzinfo=UTC)),
        (rules, day + timedelta(days=20)),
        (rules[2:], None),
    ):
        assert judge(parse_rules({"rule": chosen}), Seen(RECORD, 0), NOW).next_due == expected


def test_to_delete_comes_before_any_class_and_the_cheapest_class_before_others() -> None:
    nearline, archive = (rule(f"SetStorageClass {name}", age=1) for name in ("NEARLINE", "ARCHIVE"))
    assert decided(RECORD, archive, nearline) == decided(RECORD, nearline, archive) == "ARCHIVE"
    assert decided(RECORD, archive, rule("Delete", age=1)) == "Delete"


def test_a_class_is_never_set_to_a_dearer_one_nor_to_itself() -> None:
    coldline = replace(RECORD, attributes={"storageClass": "COLDLINE"})
    for name in ("STANDARD", "NEARLINE", "COLDLINE"):
        assert decided(coldline, rule(f"SetStorageClass {name}", age=1)) is None


def test_rules_about_uploads_leave_objects_alone() -> None:
    assert decided(RECORD, rule("AbortIncompleteMultipartUpload", age=0)) is None


@pytest.fixture(scope="module")
def endpoint(processes: Any, free_port: Callable[[], int], tmp_path_factory: Any) -> str:
    """An emulator whose clock these tests move."""
    port, state = free_port(), str(tmp_path_factory.mktemp("storage"))
    processes.start("emulators.cloud_storage", port, "--state", state, "--project", "demo-dormouse")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def control(endpoint: str) -> Callable[..., Any]:
    """Posts to the routes beside its API."""

    def post(path: str, **document: Any) -> Any:
        url = f"{endpoint}/emulator/v1/{path}"
        return httpx2.post(url, json=document, trust_env=False, timeout=60).raise_for_status().json()

    return post


def names(bucket: Any, **arguments: Any) -> list[str]:
    return [blob.name for blob in bucket.list_blobs(retry=None, **arguments)]


def test_a_jump_of_the_clock_deletes_what_has_come_of_age(versioned: Any, control: Any) -> None:
    """First the live version turns noncurrent, then it goes for good."""
    versioned.add_lifecycle_delete_rule(age=7, is_live=True, matches_prefix=["old/"])
    versioned.add_lifecycle_delete_rule(days_since_noncurrent_time=3)
    versioned.patch(retry=None)
    for name in ("old/page", "new/page"):
        versioned.blob(name).upload_from_string("x", retry=None)
    control("clock:advance", seconds=6 * DAY)
    assert names(versioned) == ["new/page", "old/page"]
    control("clock:advance", seconds=DAY + 7200)
    assert names(versioned) == ["new/page"]
    assert names(versioned, versions=True) == ["new/page", "old/page"]
    control("clock:advance", seconds=3 * DAY + 7200)
    assert names(versioned, versions=True) == ["new/page"]


def test_only_the_newest_versions_stay(versioned: Any, control: Any) -> None:
    versioned.add_lifecycle_delete_rule(number_of_newer_versions=2)
    versioned.patch(retry=None)
    for number in range(5):
        versioned.blob("page").upload_from_string(str(number), retry=None)
    assert control("lifecycle:run")["deleted"] == 3
    found = versioned.list_blobs(versions=True, retry=None)
    assert [blob.download_as_bytes(retry=None) for blob in found] == [b"3", b"4"]


def test_a_class_is_set_in_place(bucket: Any, control: Any) -> None:
    """The generation stays; the change is told by metageneration and time."""
    bucket.add_lifecycle_set_storage_class_rule("COLDLINE", age=30)
    bucket.patch(retry=None)
    blob = bucket.blob("page")
    blob.upload_from_string("x", retry=None)
    control("clock:advance", seconds=31 * DAY)
    found = bucket.get_blob("page", retry=None)
    assert (found.storage_class, found.generation) == ("COLDLINE", blob.generation)
    assert found.metageneration == 2
    assert found._properties["timeStorageClassUpdated"] > found._properties["timeCreated"]


def test_a_hold_holds_against_rules_too(bucket: Any, control: Any) -> None:
    bucket.add_lifecycle_delete_rule(age=0)
    bucket.patch(retry=None)
    blob = bucket.blob("held")
    blob.upload_from_string("x", retry=None)
    blob.temporary_hold = True
    blob.patch(retry=None)
    assert control("lifecycle:run")["deleted"] == 0
    blob.temporary_hold = False
    blob.patch(retry=None)
    assert control("lifecycle:run")["deleted"] == 1
    assert names(bucket, soft_deleted=True) == ["held"]


def test_rules_are_told_as_they_were_set(bucket: Any) -> None:
    bucket.add_lifecycle_abort_incomplete_multipart_upload_rule(age=1)
    bucket.add_lifecycle_delete_rule(age=365, matches_suffix=[".tmp"])
    bucket.patch(retry=None)
    bucket.reload(retry=None)
    assert [rule["action"]["type"] for rule in bucket.lifecycle_rules] == [
        "AbortIncompleteMultipartUpload",
        "Delete",
    ]
    bucket.clear_lifecycle_rules()
    bucket.patch(retry=None)
    bucket.reload(retry=None)
    assert list(bucket.lifecycle_rules) == []
