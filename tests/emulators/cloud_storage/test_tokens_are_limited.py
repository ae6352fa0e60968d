"""Downscoped tokens: exchanged at the identity emulator, held to by Cloud Storage."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import jwt
import pytest
from google.api_core import exceptions
from google.cloud import storage
from google.oauth2.credentials import Credentials

BUCKET = "tenants"
TYPE = "urn:ietf:params:oauth:token-type:access_token"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
Limited = Callable[..., storage.Bucket]


@pytest.fixture(scope="module")
def guarded(
    processes: Any, free_port: Callable[[], int], accounts: Any, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An emulator that verifies tokens."""
    port, state = free_port(), str(tmp_path_factory.mktemp("limited"))
    flags = ["--state", state, "--project", "demo-dormouse", "--keys-base", accounts.url, "--bucket", BUCKET]
    processes.start("emulators.cloud_storage", port, *flags)
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def owner(guarded: str, connect: Callable[[str], storage.Client]) -> storage.Bucket:
    return connect(guarded).bucket(BUCKET)


def rule(prefix: str, *roles: str, bucket: str = BUCKET) -> dict[str, Any]:
    objects = f"resource.name.startsWith('projects/_/buckets/{bucket}/objects/{prefix}')"
    lists = f"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('{prefix}')"
    return {
        "availableResource": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "availablePermissions": [f"inRole:roles/storage.{role}" for role in roles],
        "availabilityCondition": {"expression": f"{objects} || {lists}"},
    }


def account_token(accounts: Any) -> str:
    account = f"{accounts.signer._metadata}/computeMetadata/v1/instance/service-accounts/default"
    answer = httpx2.get(f"{account}/token", headers={"Metadata-Flavor": "Google"}, trust_env=False)
    return str(answer.json()["access_token"])


def exchange(accounts: Any, *rules: dict[str, Any]) -> httpx2.Response:
    form = {
        "grant_type": GRANT,
        "requested_token_type": TYPE,
        "subject_token_type": TYPE,
        "subject_token": account_token(accounts),
        "options": quote(json.dumps({"accessBoundary": {"accessBoundaryRules": rules}})),
    }
    return httpx2.post(f"{accounts.url}/v1/token", data=form, trust_env=False)


@pytest.fixture
def limited(guarded: str, accounts: Any, monkeypatch: pytest.MonkeyPatch) -> Limited:
    """Gives the bucket as the holder of a downscoped token sees it."""

    def make(*rules: dict[str, Any]) -> storage.Bucket:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", guarded)
        token = exchange(accounts, *rules).raise_for_status().json()["access_token"]
        return storage.Client(project="demo-dormouse", credentials=Credentials(token)).bucket(BUCKET)

    return make


def test_a_token_reaches_its_prefix_and_nothing_else(limited: Limited, owner: Any) -> None:
    for name in ("a/x", "b/x"):
        owner.blob(name).upload_from_string(name, retry=None)
    bucket = limited(rule("a/", "objectUser"))
    assert bucket.blob("a/x").download_as_bytes(retry=None) == b"a/x"
    bucket.blob("a/new").upload_from_string("y", retry=None)
    bucket.blob("a/new").delete(retry=None)
    assert [blob.name for blob in bucket.list_blobs(prefix="a/", retry=None)] == ["a/x"]
    for refused in (
        lambda: bucket.blob("b/x").download_as_bytes(retry=None),
        lambda: bucket.blob("b/new").upload_from_string("y", retry=None),
        lambda: bucket.blob("b/x").delete(retry=None),
        lambda: bucket.blob("b/x").reload(retry=None),
        lambda: list(bucket.list_blobs(prefix="b/", retry=None)),
        lambda: list(bucket.list_blobs(retry=None)),
        lambda: bucket.reload(retry=None),
        lambda: bucket.delete(retry=None),
        lambda: list(bucket.client.list_buckets(retry=None)),
        lambda: bucket.copy_blob(bucket.blob("b/x"), bucket, "a/stolen", retry=None),
        lambda: bucket.copy_blob(bucket.blob("a/x"), bucket, "b/planted", retry=None),
    ):
        with pytest.raises(exceptions.Forbidden):
            refused()
    assert {blob.name for blob in owner.list_blobs(retry=None)} == {"a/x", "b/x"}


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("objectViewer", {"read", "list"}),
        ("objectCreator", {"create"}),
        ("objectUser", {"read", "list", "create", "replace", "delete"}),
        ("legacyObjectReader", {"read"}),
    ],
)
def test_a_token_may_what_its_roles_say(limited: Limited, owner: Any, role: str, may: set[str]) -> None:
    """To replace an object takes the right to delete one."""
    for name in ("r/old", "r/gone"):
        owner.blob(name).upload_from_string("x", retry=None)
    if owner.blob("r/new").exists(retry=None):
        owner.blob("r/new").delete(retry=None)
    bucket = limited(rule("r/", role))
    tried: dict[str, Callable[[], object]] = {
        "read": lambda: bucket.blob("r/old").download_as_bytes(retry=None),
        "list": lambda: list(bucket.list_blobs(prefix="r/", retry=None)),
        "create": lambda: bucket.blob("r/new").upload_from_string("x", retry=None),
        "replace": lambda: bucket.blob("r/old").upload_from_string("y", retry=None),
        "delete": lambda: bucket.blob("r/gone").delete(retry=None),
    }
    done = set()
    for what, attempt in tried.items():
        try:
            attempt()
            done.add(what)
        except exceptions.Forbidden:
            continue
    assert done == may


def test_rules_add_up(limited: Limited, owner: Any) -> None:
    owner.blob("in/x").upload_from_string("x", retry=None)
    bucket = limited(rule("in/", "objectViewer"), rule("out/", "objectCreator"))
    assert bucket.blob("in/x").download_as_bytes(retry=None) == b"x"
    bucket.blob("out/x").upload_from_string("x", retry=None)
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("in/y").upload_from_string("x", retry=None)


def test_a_resumable_upload_is_started_within_the_limits_alone(limited: Limited) -> None:
    bucket = limited(rule("a/", "objectUser"))
    session = bucket.blob("a/long").create_resumable_upload_session()
    done = httpx2.put(session, content=b"x", headers={"Content-Range": "bytes 0-0/1"}, trust_env=False)
    assert done.status_code == 200
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("b/long").create_resumable_upload_session()


def test_in_a_batch_each_call_is_held_to_the_limits(limited: Limited, owner: Any) -> None:
    for name in ("a/batched", "b/batched"):
        owner.blob(name).upload_from_string("x", retry=None)
    bucket = limited(rule("a/", "objectUser"))
    with bucket.client.batch(raise_exception=False) as batch:
        bucket.blob("a/batched").delete(retry=None)
        bucket.blob("b/batched").delete(retry=None)
    assert [answer.status_code for answer in batch._responses] == [204, 403]


@pytest.mark.parametrize(
    "change",
    [
        {"availableResource": "//storage.googleapis.com/projects/mine/buckets/b"},
        {"availablePermissions": ["inRole:roles/run.admin"]},
        {"availablePermissions": []},
        {"availabilityCondition": {"expression": "resource.name.matches('a.*')"}},
        {"availabilityCondition": {"expression": "resource.name == "}},
        {"availabilityCondition": {"expression": "true || " + "x" * 2048}},
        {"availabilityCondition": {"expression": "!" * 60 + "(resource.name == 'a')"}},
        {"availabilityCondition": {"expression": "(" * 2000}},
    ],
)
def test_a_boundary_that_is_not_understood_gives_no_token(accounts: Any, change: dict[str, Any]) -> None:
    answer = exchange(accounts, rule("a/", "objectUser") | change)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_ten_rules_at_most(accounts: Any) -> None:
    assert exchange(accounts, *[rule("a/", "objectUser")] * 10).status_code == 200
    assert exchange(accounts, *[rule("a/", "objectUser")] * 11).status_code == 400


def test_a_downscoped_token_opens_nothing_but_cloud_storage(accounts: Any) -> None:
    token = exchange(accounts, rule("a/", "objectUser")).json()["access_token"]
    url = f"{accounts.url}/v1/projects/-/serviceAccounts/{accounts.signer.signer_email}:signBlob"
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx2.post(url, json={"payload": "eA=="}, headers=headers, trust_env=False).status_code == 403
    again = {
        "grant_type": GRANT,
        "requested_token_type": TYPE,
        "subject_token_type": TYPE,
        "subject_token": token,
    }
    options = {"options": json.dumps({"accessBoundary": {"accessBoundaryRules": [rule("b/", "objectUser")]}})}
    widened = httpx2.post(f"{accounts.url}/v1/token", data=again | options, trust_env=False)
    assert (widened.status_code, widened.json()["error"]) == (400, "invalid_grant")


def ask(guarded: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.get(f"{guarded}/storage/v1/b/{BUCKET}", headers=headers, trust_env=False).status_code


def test_a_token_that_does_not_hold_lets_nobody_in(guarded: str, accounts: Any) -> None:
    """Forged, changed, or of nobody here; an account's own token is an owner's."""
    token = exchange(accounts, rule("a/", "objectUser")).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    claims.pop("access_boundary")
    forged = jwt.encode(claims, "secret" * 8, "HS256", {"kid": jwt.get_unverified_header(token)["kid"]})
    head, _, signature = token.split(".")
    body = jwt.encode(claims, "secret" * 8, "HS256").split(".")[1]
    assert ask(guarded, account_token(accounts)) == 200
    for wrong in (forged, f"{head}.{body}.{signature}", "owner"):
        assert ask(guarded, wrong) == 401, wrong


def test_a_token_ends_with_the_one_it_was_made_of(
    processes: Any,
    free_port: Callable[[], int],
    accounts: Any,
    tmp_path: Any,
) -> None:
    """By the storage emulator's clock."""
    port = free_port()
    flags = ["--state", str(tmp_path), "--project", "demo-dormouse", "--keys-base", accounts.url]
    processes.start("emulators.cloud_storage", port, *flags, "--bucket", BUCKET)
    url = f"http://127.0.0.1:{port}"
    bound = rule("a/", "legacyBucketReader") | {"availabilityCondition": None}
    token = exchange(accounts, bound).json()["access_token"]
    assert ask(url, token) == 200
    seconds = timedelta(hours=1, minutes=1).total_seconds()
    httpx2.post(f"{url}/emulator/v1/clock:advance", json={"seconds": seconds}, trust_env=False)
    assert ask(url, token) == 401


def test_without_keys_a_downscoped_token_is_refused(endpoint: str, accounts: Any) -> None:
    """Its limits could not be held to."""
    token = exchange(accounts, rule("a/", "objectUser")).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx2.get(f"{endpoint}/storage/v1/b", headers=headers, trust_env=False)
    assert answer.status_code == 501
    assert "--keys-base" in answer.text
