"""Buckets through the stock client."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest
from google.api_core import exceptions
from google.cloud import storage


def test_a_bucket_is_created_found_listed_and_deleted(client: storage.Client) -> None:
    name = f"life-{uuid4().hex[:8]}"
    created = client.create_bucket(name, retry=None)
    assert client.get_bucket(name, retry=None).name == created.name == name
    assert name in {bucket.name for bucket in client.list_buckets(prefix="life-", retry=None)}
    created.delete(retry=None)
    assert client.lookup_bucket(name, retry=None) is None


def test_many_buckets_come_in_pages(client: storage.Client) -> None:
    prefix = f"page-{uuid4().hex[:6]}-"
    names = [client.create_bucket(f"{prefix}{number}", retry=None).name for number in range(5)]
    pages = client.list_buckets(prefix=prefix, page_size=2, retry=None).pages
    assert [[bucket.name for bucket in page] for page in pages] == [names[:2], names[2:4], names[4:]]


def test_a_name_is_taken_once(client: storage.Client, bucket: Any) -> None:
    with pytest.raises(exceptions.Conflict):
        client.create_bucket(bucket.name, retry=None)


def test_a_bucket_with_objects_is_not_deleted_unless_forced(client: storage.Client, bucket: Any) -> None:
    bucket.blob("kept").upload_from_string("x", retry=None)
    with pytest.raises(exceptions.Conflict):
        bucket.delete(retry=None)
    bucket.delete(force=True, retry=None)
    assert client.lookup_bucket(bucket.name, retry=None) is None


def test_labels_and_lifecycle_are_remembered(client: storage.Client, bucket: Any) -> None:
    bucket.labels = {"app": "dormouse", "gone": "soon"}
    bucket.add_lifecycle_delete_rule(age=7)
    bucket.patch(retry=None)
    bucket.labels = {"app": "dormouse"}
    bucket.patch(retry=None)
    found = client.get_bucket(bucket.name, retry=None)
    assert found.labels == {"app": "dormouse"}
    assert next(iter(found.lifecycle_rules))["condition"] == {"age": 7}
    assert found.metageneration == 3


def test_a_stale_change_of_a_bucket_is_refused(bucket: Any) -> None:
    bucket.labels = {"a": "b"}
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.patch(if_metageneration_match=bucket.metageneration + 1, retry=None)


def test_an_unknown_bucket_is_not_found(client: storage.Client) -> None:
    with pytest.raises(exceptions.NotFound):
        client.bucket("no-such-bucket").blob("x").upload_from_string("x", retry=None)


REFUSED = {
    "retentionPolicy": {"retentionPeriod": "60"},
    "encryption": {"defaultKmsKeyName": "key"},
    "defaultEventBasedHold": True,
    "billing": {"requesterPays": True},
    "logging": {"logBucket": "other"},
    "acl": [{"entity": "allUsers", "role": "READER"}],
    "autoclass": {"enabled": True},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_bucket_cannot_do_is_said_by_name(bucket: Any, endpoint: str, name: str) -> None:
    answer = httpx2.patch(
        f"{endpoint}/storage/v1/b/{bucket.name}", json={name: REFUSED[name]}, trust_env=False
    )
    assert answer.status_code == 501
    assert name in answer.json()["error"]["message"]


WRONG: list[dict[str, Any]] = [
    {"labels": {"Upper": "x"}},
    {"labels": {"key": "x" * 64}},
    {"storageClass": "CHEAP"},
    {"softDeletePolicy": {"retentionDurationSeconds": "60"}},
    {"softDeletePolicy": {"retentionDurationSeconds": str(91 * 86400)}},
    {"lifecycle": {"rule": [{"action": {"type": "Burn"}, "condition": {"age": 1}}]}},
    {"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": -1}}]}},
    {"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"createdBefore": "soon"}}]}},
    {"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {}}]}},
    {"location": "US"},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_a_wrong_setting_changes_nothing(bucket: Any, endpoint: str, change: dict[str, Any]) -> None:
    url = f"{endpoint}/storage/v1/b/{bucket.name}"
    before = httpx2.get(url, trust_env=False).json()
    answer = httpx2.patch(url, json=change, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")
    assert httpx2.get(url, trust_env=False).json() == before


def test_an_update_of_what_was_read_changes_nothing_else(client: storage.Client, bucket: Any) -> None:
    bucket.labels = {"a": "b"}
    bucket.patch(retry=None)
    found = client.get_bucket(bucket.name, retry=None)
    found.versioning_enabled = True
    found.update(retry=None)
    again = client.get_bucket(bucket.name, retry=None)
    assert (again.labels, again.versioning_enabled, again.location) == ({"a": "b"}, True, found.location)
    assert again.soft_delete_policy.retention_duration_seconds == 7 * 86400
