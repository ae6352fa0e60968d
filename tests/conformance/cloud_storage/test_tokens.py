"""Tokens that reach less far: Credential Access Boundaries, exchanged and used by google-auth."""

from collections.abc import Callable
from typing import Any

import google.auth
import pytest
import requests
from google.api_core import exceptions
from google.auth import compute_engine, downscoped
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import storage
from requests.adapters import HTTPAdapter

from tests.conformance.check import check
from tests.emulator_processes import API, IdentityEmulator

DOWNSCOPING = "iam/docs/downscoping-short-lived-credentials"
BOUNDARY = "iam/docs/reference/sts/rest/v1/AccessBoundary"
STS = "https://sts.googleapis.com"
Limited = Callable[..., storage.Bucket]


class ToEmulator(HTTPAdapter):
    """Sends what is for Google's STS to the identity emulator, as a name server would."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        request.url = request.url.replace(STS, self._url)
        return super().send(request, *arguments, **options)


@pytest.fixture
def limited(
    request: pytest.FixtureRequest,
    real_project: str | None,
    endpoint: str,
    bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Limited:
    """Gives the bucket as google-auth's downscoped credentials see it."""
    session = requests.Session()
    if real_project:
        source, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    else:
        identity: IdentityEmulator = request.getfixturevalue("identity_emulator")
        identity.become(API, monkeypatch)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        session.mount(STS, ToEmulator(identity.url))
        source = compute_engine.Credentials()

    def make(*rules: Any) -> storage.Bucket:
        boundary = downscoped.CredentialAccessBoundary(list(rules))
        credentials = downscoped.Credentials(source, boundary)
        http = AuthorizedSession(credentials, auth_request=Request(session))
        client = storage.Client(real_project or "demo-dormouse", credentials=credentials, _http=http)
        return client.bucket(bucket.name)

    return make


def rule(bucket: Any, role: str, expression: str = "") -> downscoped.AccessBoundaryRule:
    condition = downscoped.AvailabilityCondition(expression) if expression else None
    resource = f"//storage.googleapis.com/projects/_/buckets/{bucket.name}"
    return downscoped.AccessBoundaryRule(resource, [f"inRole:roles/storage.{role}"], condition)


def within(bucket: Any, prefix: str) -> str:
    """The condition of the documentation's example, for objects and for lists."""
    return (
        f"resource.name.startsWith('projects/_/buckets/{bucket.name}/objects/{prefix}') || "
        f"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('{prefix}')"
    )


@check("GCS-320", source=f"{DOWNSCOPING}: limit access by prefix")
def test_a_token_reads_below_its_prefix_alone(bucket: Any, limited: Limited, name: str) -> None:
    """A token whose condition names a prefix reads below it, and is told 403 elsewhere."""
    for side in ("a", "b"):
        bucket.blob(f"{name}/{side}").upload_from_string(side)
    seen = limited(rule(bucket, "objectViewer", within(bucket, f"{name}/a")))
    assert seen.blob(f"{name}/a").download_as_bytes() == b"a"
    with pytest.raises(exceptions.Forbidden):
        seen.blob(f"{name}/b").download_as_bytes(retry=None)


@check("GCS-321", source=f"{DOWNSCOPING}: objectListPrefix")
def test_a_token_lists_its_prefix_alone(bucket: Any, limited: Limited, name: str) -> None:
    """objectListPrefix is the prefix of a list; without one, or with another, it is 403."""
    bucket.blob(f"{name}/a").upload_from_string("a")
    seen = limited(rule(bucket, "objectViewer", within(bucket, f"{name}/")))
    assert [blob.name for blob in seen.list_blobs(prefix=f"{name}/")] == [f"{name}/a"]
    for prefix in (None, "other/"):
        with pytest.raises(exceptions.Forbidden):
            list(seen.list_blobs(prefix=prefix, retry=None))


@check("GCS-322", source=f"{DOWNSCOPING}: availablePermissions are an upper bound")
def test_a_token_may_no_more_than_its_role(bucket: Any, limited: Limited, name: str) -> None:
    """A viewer's token does not write; a creator's token does not read."""
    viewer, creator = limited(rule(bucket, "objectViewer")), limited(rule(bucket, "objectCreator"))
    with pytest.raises(exceptions.Forbidden):
        viewer.blob(name).upload_from_string("x", retry=None)
    creator.blob(name).upload_from_string("x")
    with pytest.raises(exceptions.Forbidden):
        creator.blob(name).download_as_bytes(retry=None)


@check("GCS-323", source="storage/docs/access-control/iam-permissions: objects.insert")
def test_to_replace_takes_the_right_to_delete(bucket: Any, limited: Limited, name: str) -> None:
    """An object is replaced only by who may also delete it."""
    bucket.blob(name).upload_from_string("old")
    with pytest.raises(exceptions.Forbidden):
        limited(rule(bucket, "objectCreator")).blob(name).upload_from_string("new", retry=None)
    limited(rule(bucket, "objectUser")).blob(name).upload_from_string("new")
    assert bucket.blob(name).download_as_bytes() == b"new"


@check("GCS-324", source=f"{BOUNDARY}: the union of all rules")
def test_rules_add_up(bucket: Any, limited: Limited, name: str) -> None:
    """A token may what any of its rules allows."""
    bucket.blob(f"{name}/in").upload_from_string("x")
    seen = limited(
        rule(bucket, "objectViewer", within(bucket, f"{name}/in")),
        rule(bucket, "objectCreator", within(bucket, f"{name}/out")),
    )
    assert seen.blob(f"{name}/in").download_as_bytes() == b"x"
    seen.blob(f"{name}/out").upload_from_string("x")
    with pytest.raises(exceptions.Forbidden):
        seen.blob(f"{name}/out").download_as_bytes(retry=None)


@check("GCS-325", source=f"{BOUNDARY}: at most 10 rules; google.auth.downscoped")
def test_ten_rules_are_the_most(bucket: Any, limited: Limited, name: str) -> None:
    """A boundary of ten rules is exchanged; google-auth does not even build one of eleven."""
    bucket.blob(name).upload_from_string("x")
    viewer = rule(bucket, "objectViewer")
    assert limited(*[viewer] * 10).blob(name).download_as_bytes() == b"x"
    with pytest.raises(google.auth.exceptions.InvalidValue):
        limited(*[viewer] * 11)


@check("GCS-326", source="storage/docs/json_api/v1/status-codes: 401 authError")
def test_a_token_of_nobody_is_401(endpoint: str, bucket: Any) -> None:
    """A token that nobody issued is answered 401."""
    headers = {"Authorization": "Bearer of-nobody"}
    assert (
        requests.get(f"{endpoint}/storage/v1/b/{bucket.name}", headers=headers, timeout=60).status_code == 401
    )


@check("GCS-327", source="storage/docs/access-control/iam-json: objects.compose")
def test_a_token_composes_what_it_reads(bucket: Any, limited: Limited, name: str) -> None:
    """To compose takes the right to read every source, to make the result, and to delete what it replaces."""
    for side in ("in/1", "in/2", "out/3"):
        bucket.blob(f"{name}/{side}").upload_from_string(side[-1])
    seen = limited(rule(bucket, "objectUser", within(bucket, f"{name}/in/")))
    sources = [seen.blob(f"{name}/in/{number}") for number in (1, 2)]
    seen.blob(f"{name}/in/all").compose(sources, retry=None)
    assert bucket.blob(f"{name}/in/all").download_as_bytes() == b"12"
    with pytest.raises(exceptions.Forbidden):
        seen.blob(f"{name}/in/all").compose([*sources, seen.blob(f"{name}/out/3")], retry=None)
    with pytest.raises(exceptions.Forbidden):
        seen.blob(f"{name}/out/all").compose(sources, retry=None)
    maker = limited(rule(bucket, "objectViewer"), rule(bucket, "objectCreator"))
    with pytest.raises(exceptions.Forbidden):
        maker.blob(f"{name}/in/all").compose([maker.blob(f"{name}/in/1")], retry=None)


@check("GCS-328", source="storage/docs/access-control/iam-json: objects.rewrite, objects.move")
def test_a_token_copies_and_moves_within_its_reach(bucket: Any, limited: Limited, name: str) -> None:
    """A copy reads its source and makes its target; a move deletes its source too; each end is held to the token."""
    bucket.blob(f"{name}/in/a").upload_from_string("a")
    bucket.blob(f"{name}/out/b").upload_from_string("b")
    seen = limited(rule(bucket, "objectUser", within(bucket, f"{name}/in/")))
    inside, outside = seen.blob(f"{name}/in/a"), seen.blob(f"{name}/out/b")
    seen.copy_blob(inside, seen, f"{name}/in/copied", retry=None)
    seen.move_blob(seen.blob(f"{name}/in/copied"), f"{name}/in/moved", retry=None)
    for forbidden in (
        lambda: seen.blob(f"{name}/in/stolen").rewrite(outside, retry=None),
        lambda: seen.blob(f"{name}/out/planted").rewrite(inside, retry=None),
        lambda: seen.move_blob(inside, f"{name}/out/planted", retry=None),
        lambda: seen.move_blob(outside, f"{name}/in/stolen", retry=None),
    ):
        with pytest.raises(exceptions.Forbidden):
            forbidden()
    found = {blob.name.removeprefix(f"{name}/") for blob in bucket.list_blobs(prefix=f"{name}/")}
    assert found == {"in/a", "in/moved", "out/b"}


@check("GCS-329", source="storage/docs/access-control/iam-permissions: storage.objects.delete", assumed=True)
def test_a_creator_replaces_nothing_at_the_end_either(bucket: Any, limited: Limited, name: str) -> None:
    """An upload that a creator began does not replace what somebody else has made meanwhile: 403."""
    session = limited(rule(bucket, "objectCreator")).blob(name).create_resumable_upload_session()
    bucket.blob(name).upload_from_string("first")
    assert requests.put(session, data=b"second", timeout=60).status_code == 403
    assert bucket.blob(name).download_as_bytes() == b"first"
