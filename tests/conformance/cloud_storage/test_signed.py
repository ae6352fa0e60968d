"""What a signature allows: V4 signed URLs and POST policy documents, made by the stock client."""

import json
import os
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
import requests

from tests.conformance.check import check

SOON = timedelta(minutes=5)
URLS = "storage/docs/access-control/signed-urls"
CANONICAL = "storage/docs/authentication/canonical-requests"
XML_HEADERS = "storage/docs/xml-api/reference-headers"
XML_STATUS = "storage/docs/xml-api/reference-status"
POLICY = "storage/docs/authentication/signatures: policy documents"
POST = "storage/docs/xml-api/post-object-forms"
RESUMABLE = "storage/docs/performing-resumable-uploads"


@pytest.fixture
def sign(bucket: Any, endpoint: str, signer: Any, name: str) -> Any:
    """Signs a URL of the check's own object."""

    def make(method: str, **options: Any) -> str:
        options = {"expiration": SOON, "credentials": signer} | options
        return str(
            bucket.blob(name).generate_signed_url(
                version="v4", method=method, api_access_endpoint=endpoint, **options
            )
        )

    return make


@pytest.fixture
def policy(client: Any, bucket: Any, endpoint: str, signer: Any, name: str) -> Any:
    """Signs a policy for the check's own object."""

    def make(**options: Any) -> dict[str, Any]:
        options = {"expiration": SOON, "credentials": signer} | options
        made: dict[str, Any] = client.generate_signed_post_policy_v4(bucket.name, name, **options)
        return made

    return make


@pytest.fixture
def own_policy(bucket: Any, endpoint: str, signer: Any, name: str) -> Any:
    """Signs a policy document that the client would not make: of these conditions alone, for so long."""

    def make(*conditions: Any, lasting: timedelta = SOON) -> dict[str, Any]:
        now = datetime.now(UTC)
        date = now.strftime("%Y%m%dT%H%M%SZ")
        fields = {
            "key": name,
            "x-goog-date": date,
            "x-goog-credential": f"{signer.signer_email}/{date[:8]}/auto/storage/goog4_request",
            "x-goog-algorithm": "GOOG4-RSA-SHA256",
        }
        document = {
            "conditions": [*conditions, *({name: text} for name, text in fields.items())],
            "expiration": (now + lasting).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        encoded = b64encode(json.dumps(document).encode()).decode()
        signature = signer.sign_bytes(encoded.encode()).hex()
        signed = fields | {"policy": encoded, "x-goog-signature": signature}
        return {"url": f"{endpoint}/{bucket.name}/", "fields": signed}

    return make


def call(method: str, url: str, data: bytes = b"", **headers: str) -> requests.Response:
    return requests.request(method, url, data=data, headers=headers, timeout=60)


def post(policy: dict[str, Any], content: bytes, **fields: str) -> requests.Response:
    form = policy["fields"] | fields
    return requests.post(policy["url"], data=form, files={"file": ("f", content)}, timeout=60)


def code(answer: requests.Response) -> str:
    found = re.search("<Code>(.*?)</Code>", answer.text)
    return found[1] if found else ""


@check("GCS-260", source=URLS)
def test_put_get_head_and_delete_by_signed_url(sign: Any) -> None:
    """Whoever has a signed URL writes, reads and deletes without an account."""
    assert call("PUT", sign("PUT"), b"content").status_code == 200
    assert call("GET", sign("GET")).content == b"content"
    assert call("HEAD", sign("HEAD")).headers["Content-Length"] == "7"
    assert call("DELETE", sign("DELETE")).status_code == 204
    assert call("GET", sign("GET")).status_code == 404


@check("GCS-261", source=f"{XML_STATUS}: SignatureDoesNotMatch")
def test_another_signature_is_403(sign: Any) -> None:
    """A URL whose signature was changed is answered 403 SignatureDoesNotMatch."""
    url = sign("GET")
    answer = call("GET", url[:-1] + ("0" if url[-1] != "0" else "1"))
    assert (answer.status_code, code(answer)) == (403, "SignatureDoesNotMatch")


@check("GCS-262", source=CANONICAL)
def test_a_url_is_for_its_method_and_its_object(sign: Any, name: str) -> None:
    """A URL that was signed for one method or object is answered 403 for another."""
    url = sign("GET")
    assert call("PUT", url, b"x").status_code == 403
    assert call("GET", url.replace(name, f"{name}-other")).status_code == 403


@check("GCS-263", source=CANONICAL)
def test_what_the_query_says_is_signed(sign: Any) -> None:
    """A lengthened expiry, or a parameter more, makes the signature wrong: 403."""
    url = sign("GET")
    assert call("GET", url.replace("X-Goog-Expires=300", "X-Goog-Expires=3000")).status_code == 403
    assert call("GET", url.replace("?", "?generation=1&")).status_code == 403


@check("GCS-264", source=f"{CANONICAL}: signed headers must be in the request")
def test_signed_headers_must_come_as_signed(sign: Any) -> None:
    """A header that was signed has to be sent with that value, or it is 403."""
    url = sign("PUT", headers={"x-goog-meta-epoch": "7"})
    assert call("PUT", url, b"x").status_code == 403
    assert call("PUT", url, b"x", **{"x-goog-meta-epoch": "8"}).status_code == 403
    assert call("PUT", url, b"x", **{"x-goog-meta-epoch": "7"}).status_code == 200


@check("GCS-265", source=f"{CANONICAL}: x-goog- headers have to be signed", assumed=True)
def test_an_unsigned_extension_header_is_403(sign: Any) -> None:
    """An x-goog- header that was not signed is answered 403."""
    assert call("PUT", sign("PUT"), b"x", **{"x-goog-meta-owner": "me"}).status_code == 403


@check("GCS-266", source=f"{XML_HEADERS}: x-goog-if-generation-match")
def test_a_signed_create_happens_once(sign: Any) -> None:
    """With x-goog-if-generation-match: 0 signed, a second PUT is answered 412."""
    condition = {"x-goog-if-generation-match": "0"}
    url = sign("PUT", headers=dict(condition))
    assert call("PUT", url, b"first", **condition).status_code == 200
    assert call("PUT", url, b"second", **condition).status_code == 412


@check("GCS-267", source=f"{XML_HEADERS}: x-goog-content-length-range")
@pytest.mark.parametrize(("size", "status"), [(9, 400), (10, 200), (20, 200), (21, 400)])
def test_a_signed_length_range_bounds_the_object(sign: Any, size: int, status: int) -> None:
    """x-goog-content-length-range: A,B lets an object of A to B bytes in, and answers 400 to any other."""
    limits = {"x-goog-content-length-range": "10,20"}
    assert call("PUT", sign("PUT", headers=dict(limits)), b"x" * size, **limits).status_code == status


@check("GCS-268", source=f"{RESUMABLE}: signed URLs and resumable uploads")
def test_a_resumable_upload_starts_by_signed_post(sign: Any, bucket: Any, name: str) -> None:
    """A signed POST with x-goog-resumable: start is answered 201 with the session, which needs no signature."""
    started = call("POST", sign("RESUMABLE"), **{"x-goog-resumable": "start"})
    assert started.status_code == 201
    data = os.urandom(300_000)
    session = started.headers["Location"]
    half = call("PUT", session, data[:262144], **{"Content-Range": "bytes 0-262143/*"})
    assert (half.status_code, half.headers["Range"]) == (308, "bytes=0-262143")
    assert call("PUT", session, data[262144:], **{"Content-Range": "bytes 262144-299999/300000"}).ok
    assert bucket.blob(name).download_as_bytes() == data


@check("GCS-269", source=f"{XML_STATUS}: AccessDenied for an anonymous caller")
def test_without_a_signature_it_is_403(endpoint: str, bucket: Any, name: str) -> None:
    """A private object is not given to an anonymous caller: 403."""
    bucket.blob(name).upload_from_string("x")
    assert call("GET", f"{endpoint}/{bucket.name}/{name}").status_code == 403


@check("GCS-270", source="the client's generate_signed_url, response_disposition and response_type")
def test_a_url_can_name_the_download(sign: Any, bucket: Any, name: str) -> None:
    """response-content-disposition and response-content-type of a signed URL become headers of the answer."""
    bucket.blob(name).upload_from_string("x")
    url = sign("GET", response_disposition="attachment; filename=a.txt", response_type="text/x-y")
    headers = call("GET", url).headers
    assert headers["Content-Disposition"] == "attachment; filename=a.txt"
    assert headers["Content-Type"].startswith("text/x-y")


@check("GCS-271", source=f"{URLS}: at most seven days")
def test_more_than_seven_days_is_400(sign: Any) -> None:
    """X-Goog-Expires of more than 604800 seconds is answered 400; the client does not even sign it."""
    with pytest.raises(ValueError, match="604800"):
        sign("GET", expiration=timedelta(days=8))
    url = sign("GET")
    assert call("GET", url.replace("X-Goog-Expires=300", "X-Goog-Expires=604801")).status_code == 400


@check("GCS-272", source=f"{XML_STATUS}: ExpiredToken")
@pytest.mark.emulator_only
def test_a_url_ends_when_it_expires(own_emulator: Any, signer: Any, name: str) -> None:
    """After its expiry a signed URL is answered 400 ExpiredToken."""
    blob = own_emulator.bucket.blob(name)
    blob.upload_from_string("x")
    url = blob.generate_signed_url(
        SOON, version="v4", credentials=signer, api_access_endpoint=own_emulator.url
    )
    assert call("GET", url).status_code == 200
    own_emulator.advance(301)
    answer = call("GET", url)
    assert (answer.status_code, code(answer)) == (400, "ExpiredToken")


@check("GCS-273", source=f"{XML_HEADERS}: x-goog-content-sha256; no page says the code", assumed=True)
def test_a_signed_hash_is_the_contents(sign: Any, bucket: Any, name: str) -> None:
    """A URL that was signed with the SHA-256 of a content takes that content and no other: 400."""
    signed = {"x-goog-content-sha256": sha256(b"content").hexdigest()}
    url = sign("PUT", headers=dict(signed))
    assert call("PUT", url, b"another", **signed).status_code == 400
    assert not bucket.blob(name).exists()
    assert call("PUT", url, b"content", **signed).status_code == 200


@check("GCS-280", source=POST)
def test_a_signed_form_stores_its_file(policy: Any, bucket: Any, name: str) -> None:
    """A form with a signed policy stores its file; the answer is 204 unless the form asks for another."""
    signed = policy(fields={"Content-Type": "text/x-y", "x-goog-meta-a": "b"})
    assert post(signed, b"content").status_code == 204
    found = bucket.get_blob(name)
    assert (found.content_type, found.metadata) == ("text/x-y", {"a": "b"})
    assert found.download_as_bytes() == b"content"


@check("GCS-281", source=f"{POST}: success_action_status")
def test_a_form_chooses_its_status(policy: Any, name: str) -> None:
    """success_action_status 201 gives an XML document that names the object; 200 an empty answer."""
    created = post(policy(fields={"success_action_status": "201"}), b"x")
    assert created.status_code == 201
    assert f"<Key>{name}</Key>" in created.text
    assert post(policy(fields={"success_action_status": "200"}), b"x").status_code == 200


@check("GCS-282", source=f"{POLICY}: content-length-range")
@pytest.mark.parametrize(("size", "fits"), [(9, False), (10, True), (20, True), (21, False)])
def test_a_policy_bounds_the_size(policy: Any, size: int, fits: bool) -> None:
    """content-length-range of a policy lets in what is within, and answers 4xx to the rest."""
    answer = post(policy(conditions=[["content-length-range", 10, 20]]), b"x" * size)
    assert (answer.status_code == 204) is fits
    assert answer.status_code in (204, 400)


@check(
    "GCS-283",
    source=f"{POLICY}: every field but x-goog-signature, file, policy and x-ignore- has a condition",
)
def test_a_form_has_no_field_that_the_policy_lacks(policy: Any) -> None:
    """A field that no condition names is refused with 4xx; one that begins with x-ignore- is not."""
    assert 400 <= post(policy(), b"x", **{"x-goog-meta-a": "b"}).status_code < 500
    assert post(policy(), b"x", **{"x-ignore-a": "b"}).status_code == 204


@check("GCS-284", source=f"{POLICY}: starts-with")
def test_a_prefix_condition(policy: Any) -> None:
    """["starts-with", "$field", "prefix"] leaves the rest of the field to the form."""
    signed = policy(conditions=[["starts-with", "$x-goog-meta-note", "a-"]])
    assert post(signed, b"x", **{"x-goog-meta-note": "a-1"}).status_code == 204
    assert 400 <= post(signed, b"x", **{"x-goog-meta-note": "b-1"}).status_code < 500


@check("GCS-285", source=f"{XML_STATUS}: SignatureDoesNotMatch")
def test_another_policy_is_403(policy: Any) -> None:
    """A policy that is not the one that was signed is answered 403."""
    signed, other = policy(), policy(expiration=timedelta(days=1))
    swapped = signed["fields"] | {"policy": other["fields"]["policy"]}
    assert post(signed | {"fields": swapped}, b"x").status_code == 403


@check("GCS-286", source=f"{XML_STATUS}: ExpiredToken or AccessDenied; no page says which", assumed=True)
@pytest.mark.emulator_only
def test_a_policy_ends_when_it_expires(own_emulator: Any, signer: Any, name: str) -> None:
    """After its expiration a policy document is answered 400 ExpiredToken."""
    signed = own_emulator.client.generate_signed_post_policy_v4(
        own_emulator.bucket.name, name, expiration=timedelta(hours=2), credentials=signer
    )
    assert post(signed, b"x").status_code == 204
    own_emulator.advance(7201)
    answer = post(signed, b"x")
    assert (answer.status_code, code(answer)) == (400, "ExpiredToken")


@check(
    "GCS-287",
    source="googleapis/nodejs-storage, File.generateSignedPostPolicyV4: the bucket is a field with a condition, "
    "as in all of googleapis/conformance-tests, postPolicyV4Tests",
    assumed=True,
)
def test_a_policy_names_its_bucket(own_policy: Any, bucket: Any, name: str) -> None:
    """The bucket counts as a field: a policy without a condition on it is refused with 4xx."""
    assert 400 <= post(own_policy(), b"x").status_code < 500
    assert not bucket.blob(name).exists()
    assert post(own_policy({"bucket": bucket.name}), b"x").status_code == 204


@check(
    "GCS-288",
    source="googleapis/nodejs-storage, File.generateSignedPostPolicyV4: max allowed expiration is seven days",
    assumed=True,
)
def test_a_policy_lasts_seven_days_at_most(own_policy: Any, bucket: Any, name: str) -> None:
    """A policy whose expiration is more than seven days after its x-goog-date is refused with 4xx."""
    named = {"bucket": bucket.name}
    week = timedelta(days=7)
    assert 400 <= post(own_policy(named, lasting=week + timedelta(minutes=1)), b"x").status_code < 500
    assert not bucket.blob(name).exists()
    assert post(own_policy(named, lasting=week), b"x").status_code == 204
