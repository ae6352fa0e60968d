"""Lifecycle rules, carried out by the emulator's clock; Google takes a day or more for the same."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from google.api_core import exceptions

from tests.conformance.check import check

_LIFECYCLE = "storage/docs/lifecycle"
DAY = 86_400


@pytest.fixture
def ruled(own_emulator: Any) -> Any:
    """A versioned bucket of the emulator whose clock these checks move."""
    bucket = own_emulator.client.bucket(f"ruled-{uuid4().hex[:12]}")
    bucket.versioning_enabled = True
    return own_emulator.client.create_bucket(bucket, retry=None)


@pytest.fixture
def carry_out(own_emulator: Any) -> Callable[[], None]:
    """Lets the emulator carry out what is due now."""

    def run() -> None:
        url = f"{own_emulator.url}/emulator/v1/lifecycle:run"
        httpx2.post(url, trust_env=False, timeout=60).raise_for_status()

    return run


def _write(bucket: Any, name: str, *contents: str) -> None:
    for content in contents:
        bucket.blob(name).upload_from_string(content, retry=None)


def _begin(own_emulator: Any, bucket: Any, name: str) -> str:
    """The address of a multipart upload that has one part."""
    url = f"{own_emulator.url}/{bucket.name}/{name}"
    begun = httpx2.post(f"{url}?uploads", trust_env=False).raise_for_status()
    upload_id = begun.text.partition("<UploadId>")[2].partition("<")[0]
    httpx2.put(f"{url}?partNumber=1&uploadId={upload_id}", content=b"x", trust_env=False).raise_for_status()
    return f"{url}?uploadId={upload_id}"


def _names(bucket: Any, **arguments: Any) -> list[str]:
    return [blob.name for blob in bucket.list_blobs(retry=None, **arguments)]


@check("GCS-151", source=f"{_LIFECYCLE}#age: when a resource reaches the specified age, in days")
@pytest.mark.emulator_only
def test_age(ruled: Any, own_emulator: Any) -> None:
    """A rule by age is carried out when the object is that old, and not before."""
    ruled.add_lifecycle_delete_rule(age=2)
    ruled.patch(retry=None)
    _write(ruled, "x", "1")
    own_emulator.advance(2 * DAY - 3600)
    assert _names(ruled) == ["x"]
    own_emulator.advance(3 * 3600)
    assert _names(ruled) == []


@check("GCS-152", source=f"{_LIFECYCLE}#delete: deleting the live version makes it noncurrent")
@pytest.mark.emulator_only
def test_delete_in_a_versioned_bucket(ruled: Any, carry_out: Any) -> None:
    """In a versioned bucket, to delete the live version makes it noncurrent."""
    ruled.add_lifecycle_delete_rule(age=0, is_live=True)
    ruled.patch(retry=None)
    _write(ruled, "x", "1")
    carry_out()
    assert (_names(ruled), _names(ruled, versions=True)) == ([], ["x"])


@check("GCS-153", source=f"{_LIFECYCLE}#numnewerversions: at least N newer versions, the live one included")
@pytest.mark.emulator_only
def test_newer_versions(ruled: Any, carry_out: Any) -> None:
    """A rule by newer versions leaves as many versions as it says, the live one among them."""
    ruled.add_lifecycle_delete_rule(number_of_newer_versions=2)
    ruled.patch(retry=None)
    _write(ruled, "x", "1", "2", "3", "4")
    carry_out()
    found = ruled.list_blobs(versions=True, retry=None)
    assert [blob.download_as_text(retry=None) for blob in found] == ["3", "4"]


@check("GCS-154", source=f"{_LIFECYCLE}#islive; daysSinceNoncurrentTime: days since it became noncurrent")
@pytest.mark.emulator_only
def test_days_since_noncurrent(ruled: Any, own_emulator: Any) -> None:
    """Noncurrent versions go so many days after they ceased to be live; the live one stays."""
    ruled.add_lifecycle_delete_rule(is_live=False, days_since_noncurrent_time=3)
    ruled.patch(retry=None)
    _write(ruled, "x", "1")
    own_emulator.advance(10 * DAY)
    _write(ruled, "x", "2")
    own_emulator.advance(2 * DAY)
    assert len(_names(ruled, versions=True)) == 2
    own_emulator.advance(DAY + 7200)
    assert _names(ruled, versions=True) == _names(ruled) == ["x"]


@check("GCS-155", source=f"{_LIFECYCLE}#matchesprefix-suffix: exact and case-sensitive, any of the list")
@pytest.mark.emulator_only
def test_prefixes_and_suffixes(ruled: Any, carry_out: Any) -> None:
    """A rule by prefixes and suffixes hits what has one of each, with the same letters in the same case."""
    ruled.add_lifecycle_delete_rule(age=0, matches_prefix=["a/", "b/"], matches_suffix=[".tmp"])
    ruled.patch(retry=None)
    for name in ("a/x.tmp", "b/x.tmp", "a/x.txt", "c/x.tmp", "A/x.tmp"):
        _write(ruled, name, "1")
    carry_out()
    assert _names(ruled) == ["A/x.tmp", "a/x.txt", "c/x.tmp"]


@check("GCS-156", source=f"{_LIFECYCLE}#createdbefore: created before midnight of that date, UTC")
@pytest.mark.emulator_only
def test_created_before(ruled: Any, own_emulator: Any, carry_out: Any) -> None:
    """A rule by date hits what was created before midnight of it."""
    _write(ruled, "old", "1")
    created = ruled.get_blob("old", retry=None).time_created
    own_emulator.advance(DAY)
    _write(ruled, "new", "1")
    ruled.add_lifecycle_delete_rule(created_before=created.date() + timedelta(days=1))
    ruled.patch(retry=None)
    carry_out()
    assert _names(ruled) == ["new"]


@check("GCS-157", source=f"{_LIFECYCLE}#customtimebefore: not satisfied when no Custom-Time is set")
@pytest.mark.emulator_only
def test_custom_time_before(ruled: Any, carry_out: Any) -> None:
    """A rule by custom time hits what has an earlier one, and never what has none."""
    for name, day in (("old", 1), ("new", 3), ("none", 0)):
        blob = ruled.blob(name)
        if day:
            blob.custom_time = datetime(2020, 1, day, tzinfo=UTC)
        blob.upload_from_string("x", retry=None)
    ruled.add_lifecycle_delete_rule(custom_time_before=datetime(2020, 1, 2, tzinfo=UTC).date())
    ruled.patch(retry=None)
    carry_out()
    assert _names(ruled) == ["new", "none"]


@check("GCS-158", source=f"{_LIFECYCLE}#setstorageclass: changes the class and the modification time")
@pytest.mark.emulator_only
def test_set_storage_class(ruled: Any, own_emulator: Any, carry_out: Any) -> None:
    """A class is set without a new generation; the times of the class and of the update move."""
    _write(ruled, "x", "1")
    before = ruled.get_blob("x", retry=None)
    ruled.add_lifecycle_set_storage_class_rule("NEARLINE", age=30)
    ruled.patch(retry=None)
    own_emulator.advance(31 * DAY)
    carry_out()
    after = ruled.get_blob("x", retry=None)
    assert (after.storage_class, after.generation) == ("NEARLINE", before.generation)
    assert after.updated > before.updated
    assert after.time_created == before.time_created


@check("GCS-159", source=f"{_LIFECYCLE}: Delete takes precedence over SetStorageClass")
@pytest.mark.emulator_only
def test_delete_comes_first(ruled: Any, carry_out: Any) -> None:
    """Of a rule that deletes and one that sets a class the first is carried out."""
    ruled.add_lifecycle_set_storage_class_rule("ARCHIVE", age=0)
    ruled.add_lifecycle_delete_rule(age=0, is_live=True)
    ruled.patch(retry=None)
    _write(ruled, "x", "1")
    carry_out()
    assert _names(ruled) == []


@check("GCS-160", source=f"{_LIFECYCLE}: the class with the lowest at-rest pricing takes precedence")
@pytest.mark.emulator_only
def test_the_cheapest_class_comes_first(ruled: Any, carry_out: Any) -> None:
    """Of two rules that set a class the one of the cheaper class is carried out."""
    ruled.add_lifecycle_set_storage_class_rule("COLDLINE", age=0)
    ruled.add_lifecycle_set_storage_class_rule("NEARLINE", age=0)
    ruled.patch(retry=None)
    _write(ruled, "x", "1")
    carry_out()
    assert ruled.get_blob("x", retry=None).storage_class == "COLDLINE"


@check("GCS-161", source=f"{_LIFECYCLE}#delete: does not take effect on an object under a hold")
@pytest.mark.emulator_only
def test_holds(ruled: Any, carry_out: Any) -> None:
    """An object under a hold is not deleted until the hold is gone."""
    _write(ruled, "x", "1")
    ruled.add_lifecycle_delete_rule(age=0)
    ruled.patch(retry=None)
    blob = ruled.blob("x")
    blob.event_based_hold = True
    blob.patch(retry=None)
    carry_out()
    assert _names(ruled) == ["x"]
    blob.event_based_hold = False
    blob.patch(retry=None)
    carry_out()
    assert _names(ruled) == []


@check("GCS-162", source="storage/docs/soft-delete: permanently deleted after the retention duration")
@pytest.mark.emulator_only
def test_the_end_of_a_soft_deleted_object(own_emulator: Any) -> None:
    """A soft-deleted object is gone after the time that held when it was deleted."""
    bucket = own_emulator.client.create_bucket(f"soft-{uuid4().hex[:12]}", retry=None)
    _write(bucket, "x", "1")
    bucket.delete_blob("x", retry=None)
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.patch(retry=None)
    own_emulator.advance(7 * DAY - 60)
    assert _names(bucket, soft_deleted=True) == ["x"]
    own_emulator.advance(120)
    assert _names(bucket, soft_deleted=True) == []


@check(
    "GCS-163", source=f"{_LIFECYCLE}: AbortIncompleteMultipartUpload takes age and matches conditions only"
)
def test_conditions_of_uploads(bucket_of_its_own: Any) -> None:
    """A rule that aborts uploads takes an age; a condition that is about versions is refused with 400."""
    bucket_of_its_own.add_lifecycle_abort_incomplete_multipart_upload_rule(age=7)
    bucket_of_its_own.patch(retry=None)
    bucket_of_its_own.add_lifecycle_abort_incomplete_multipart_upload_rule(is_live=True)
    with pytest.raises(exceptions.BadRequest):
        bucket_of_its_own.patch(retry=None)


@check(
    "GCS-166",
    source=f"{_LIFECYCLE}#abort-mpu: aborts an upload that meets the conditions, and deletes its parts",
)
@pytest.mark.emulator_only
def test_an_old_upload_is_aborted(ruled: Any, own_emulator: Any) -> None:
    """A multipart upload as old as the rule says is gone, parts and all; a younger one goes on."""
    ruled.add_lifecycle_abort_incomplete_multipart_upload_rule(age=7, matches_prefix=["in/"])
    ruled.patch(retry=None)
    old, other = (_begin(own_emulator, ruled, name) for name in ("in/old", "out/old"))
    own_emulator.advance(6 * DAY)
    young = _begin(own_emulator, ruled, "in/young")
    own_emulator.advance(DAY + 2 * 3600)
    parts = [httpx2.put(f"{url}&partNumber=2", content=b"x", trust_env=False) for url in (old, other, young)]
    assert [answer.status_code for answer in parts] == [404, 200, 200]


@check("GCS-164", source="storage/docs/json_api/v1/buckets#resource: lifecycle.rule[].action.type")
def test_an_action_that_is_none(bucket_of_its_own: Any) -> None:
    """A rule with an unknown action is refused with 400."""
    rule = {"action": {"type": "Burn"}, "condition": {"age": 1}}
    bucket_of_its_own._patch_property("lifecycle", {"rule": [rule]})
    with pytest.raises(exceptions.BadRequest):
        bucket_of_its_own.patch(retry=None)


@check("GCS-165", source="storage/docs/json_api/v1/buckets#resource: lifecycle.rule")
def test_rules_are_told(client: Any, bucket_of_its_own: Any) -> None:
    """Rules are told as they were set, and are gone when they are cleared."""
    bucket_of_its_own.add_lifecycle_delete_rule(age=365, matches_suffix=[".tmp"])
    bucket_of_its_own.patch(retry=None)
    found = client.get_bucket(bucket_of_its_own.name, retry=None)
    (rule,) = found.lifecycle_rules
    assert rule["condition"] == {"age": 365, "matchesSuffix": [".tmp"]}
    found.clear_lifecycle_rules()
    found.patch(retry=None)
    assert list(client.get_bucket(found.name, retry=None).lifecycle_rules) == []
