"""Uploads by HTML form: policy documents that the stock client signs, and what a form may not do beyond them."""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from google.cloud import storage

BUCKET = "forms"
Sign = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def verified(
    processes: Any, free_port: Callable[[], int], accounts: Any, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An emulator that verifies by the identity emulator's keys, and honours one signer."""
    port, state = free_port(), str(tmp_path_factory.mktemp("forms"))
    flags = ["--state", state, "--project", "demo-dormouse", "--keys-base", accounts.url, "--bucket", BUCKET]
    flags += ["--signer", accounts.signer.signer_email]
    processes.start("emulators.cloud_storage", port, *flags)
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def forms(verified: str, connect: Callable[[str], storage.Client]) -> storage.Bucket:
    return connect(verified).bucket(BUCKET)


@pytest.fixture(scope="module")
def sign(forms: storage.Bucket, accounts: Any) -> Sign:
    """Signs a policy for a key, by the stock client."""

    def make(key: str, **options: Any) -> dict[str, Any]:
        options = {"expiration": timedelta(minutes=5), "credentials": accounts.signer} | options
        policy: dict[str, Any] = forms.client.generate_signed_post_policy_v4(BUCKET, key, **options)
        return policy

    return make


def post(policy: dict[str, Any], content: bytes, **fields: str) -> httpx2.Response:
    form = policy["fields"] | fields
    files = {"file": ("local.bin", content)}
    return httpx2.post(policy["url"], data=form, files=files, trust_env=False)


def code(answer: httpx2.Response) -> str:
    found = re.search("<Code>(.*?)</Code>", answer.text)
    return found[1] if found else ""


def test_a_signed_form_stores_its_file(sign: Sign, forms: Any) -> None:
    """With the type and metadata that its fields say."""
    content = os.urandom(600_000)
    fields = {"Content-Type": "image/png", "x-goog-meta-owner": "me"}
    answer = post(sign("dir/☃ file", fields=fields), content)
    assert answer.status_code == 204
    found = forms.get_blob("dir/☃ file", retry=None)
    assert (found.content_type, found.metadata) == ("image/png", {"owner": "me"})
    assert found.download_as_bytes(retry=None) == content
    assert answer.headers["etag"].strip('"') == found.etag.strip('"')


@pytest.mark.parametrize("status", ["200", "201", "204", "500"])
def test_a_form_chooses_its_answer(sign: Sign, status: str) -> None:
    answer = post(sign(f"status-{status}", fields={"success_action_status": status}), b"x")
    assert answer.status_code == (int(status) if status != "500" else 204)
    if status == "201":
        assert f"<Key>status-{status}</Key>" in answer.text


def test_a_form_sends_the_browser_on(sign: Sign) -> None:
    fields = {"success_action_redirect": "http://localhost:5000/done"}
    answer = post(sign("redirected", fields=fields), b"x")
    assert (answer.status_code, answer.headers["location"]) == (303, fields["success_action_redirect"])


@pytest.mark.parametrize(("size", "status"), [(9, 400), (10, 204), (20, 204), (21, 400), (3_000_000, 400)])
def test_its_length_range_is_held_to(sign: Sign, forms: Any, size: int, status: int) -> None:
    policy = sign(f"size-{size}", conditions=[["content-length-range", 10, 20]])
    answer = post(policy, b"x" * size)
    assert answer.status_code == status
    assert code(answer) == ("" if status == 204 else "EntityTooSmall" if size < 10 else "EntityTooLarge")
    assert forms.blob(f"size-{size}").exists(retry=None) is (status == 204)


def test_a_prefix_leaves_the_rest_to_the_form(sign: Sign, forms: Any) -> None:
    conditions = [["starts-with", "$x-goog-meta-note", "a-"]]
    policy = sign("prefixed", conditions=conditions)
    assert code(post(policy, b"x")) == "InvalidPolicyDocument"
    assert code(post(policy, b"x", **{"x-goog-meta-note": "b-1"})) == "InvalidPolicyDocument"
    assert post(policy, b"x", **{"x-goog-meta-note": "a-1"}).status_code == 204
    assert forms.get_blob("prefixed", retry=None).metadata == {"note": "a-1"}


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "another"},
        {"Content-Type": "text/html"},
        {"x-goog-meta-a": "b"},
        {"x-goog-date": "20200101T000000Z"},
    ],
)
def test_a_form_says_nothing_that_its_policy_does_not(sign: Sign, forms: Any, fields: dict[str, str]) -> None:
    answer = post(sign("narrow"), b"x", **fields)
    assert (answer.status_code, code(answer)) == (400, "InvalidPolicyDocument")
    assert not forms.blob("narrow").exists(retry=None)
    assert not forms.blob("another").exists(retry=None)


def test_fields_to_be_ignored_are(sign: Sign, forms: Any) -> None:
    assert post(sign("ignoring"), b"x", **{"x-ignore-me": "anything"}).status_code == 204
    assert forms.get_blob("ignoring", retry=None).metadata is None


def test_a_policy_is_for_one_bucket(sign: Sign, forms: Any, verified: str) -> None:
    other = forms.client.create_bucket("other-forms", retry=None)
    policy = sign("x") | {"url": f"{verified}/other-forms/"}
    assert code(post(policy, b"x")) == "InvalidPolicyDocument"
    assert list(other.list_blobs(retry=None)) == []


def test_a_policy_that_was_tampered_with_is_refused(sign: Sign, forms: Any, accounts: Any) -> None:
    signed, longer = sign("mine"), sign("mine", expiration=timedelta(days=1))
    swapped = signed["fields"] | {"policy": longer["fields"]["policy"]}
    for fields in (
        swapped,
        signed["fields"] | {"x-goog-signature": "00"},
        signed["fields"] | {"x-goog-signature": ""},
        sign("mine", credentials=accounts.stranger)["fields"],
    ):
        answer = post(signed | {"fields": fields}, b"x")
        assert answer.status_code == 403
    without = {name: text for name, text in signed["fields"].items() if name != "policy"}
    assert post(signed | {"fields": without}, b"x").status_code == 403
    assert not forms.blob("mine").exists(retry=None)


def test_a_policy_ends_by_the_emulators_clock(
    processes: Any,
    free_port: Callable[[], int],
    connect: Callable[[str], storage.Client],
    accounts: Any,
    tmp_path: Any,
) -> None:
    """And so does a signed URL, to the second."""
    port = free_port()
    flags = ["--state", str(tmp_path), "--project", "demo-dormouse", "--keys-base", accounts.url]
    processes.start("emulators.cloud_storage", port, *flags, "--bucket", "timed")
    url = f"http://127.0.0.1:{port}"
    client = connect(url)
    options = {"credentials": accounts.signer, "expiration": timedelta(hours=1)}
    policy = client.generate_signed_post_policy_v4("timed", "x", **options)
    get = (
        client.bucket("timed").blob("x").generate_signed_url(version="v4", api_access_endpoint=url, **options)
    )
    assert post(policy, b"x").status_code == 204
    assert httpx2.get(get, trust_env=False).content == b"x"
    clock = f"{url}/emulator/v1/clock"
    httpx2.post(f"{clock}:advance", json={"seconds": 3500}, trust_env=False)
    assert httpx2.get(get, trust_env=False).status_code == 200
    httpx2.post(f"{clock}:advance", json={"seconds": 200}, trust_env=False)
    for answer in (httpx2.get(get, trust_env=False), post(policy, b"y")):
        assert (answer.status_code, code(answer)) == (400, "ExpiredToken")


def test_a_form_without_a_file_or_with_nonsense_is_refused(sign: Sign, verified: str) -> None:
    policy = sign("x")
    url = f"{verified}/{BUCKET}/"
    head = {"Content-Type": "multipart/form-data; boundary=line"}
    field = b'--line\r\nContent-Disposition: form-data; name="key"\r\n\r\nx\r\n'
    for body in (field + b"--line--\r\n", field, b"", b"--line--\r\n"):
        assert httpx2.post(url, content=body, headers=head, trust_env=False).status_code == 400
    fields = policy["fields"] | {"policy": "bm9uc2Vuc2U="}
    assert post(policy | {"fields": fields}, b"x").status_code == 400
    assert httpx2.post(url, content=b"x", trust_env=False).status_code == 400
