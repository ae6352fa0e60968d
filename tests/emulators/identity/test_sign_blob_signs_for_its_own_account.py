"""signBlob signs with the caller's own key, verifiable by the published certificate, and for nobody else."""

from base64 import b64decode, b64encode
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

API, SWEEP = (f"dormouse-{name}@demo-dormouse.iam.gserviceaccount.com" for name in ("api", "sweep"))
PAYLOAD = bytes(range(256))


def sign(
    identity: Any, email: str, token: str | None, body: dict[str, object] | None = None
) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    url = f"{identity.url}/v1/projects/-/serviceAccounts/{email}:signBlob"
    body = {"payload": b64encode(PAYLOAD).decode()} if body is None else body
    return httpx2.post(url, json=body, headers=headers, trust_env=False)


def test_the_signature_verifies_with_the_published_certificate(identity: Any) -> None:
    answer = sign(identity, API, identity.access_token(API)).json()
    certificates = httpx2.get(f"{identity.url}/robot/v1/metadata/x509/{API}", trust_env=False).json()
    key = x509.load_pem_x509_certificate(certificates[answer["keyId"]].encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(b64decode(answer["signedBlob"]), PAYLOAD, padding.PKCS1v15(), hashes.SHA256())


def test_each_account_has_a_key_of_its_own(identity: Any) -> None:
    keys = {sign(identity, email, identity.access_token(email)).json()["keyId"] for email in (API, SWEEP)}
    assert len(keys) == 2


def test_another_account_may_not_sign(identity: Any) -> None:
    answer = sign(identity, API, identity.access_token(SWEEP))
    assert answer.status_code == 403
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"


def test_an_unknown_account_is_refused_like_a_foreign_one(identity: Any) -> None:
    """So that nobody learns which accounts exist."""
    stranger = "stranger@demo-dormouse.iam.gserviceaccount.com"
    assert sign(identity, stranger, identity.access_token(SWEEP)).status_code == 403


def test_a_token_for_storage_alone_may_not_sign(identity: Any) -> None:
    token = identity.access_token(API, scopes="https://www.googleapis.com/auth/devstorage.read_write")
    assert sign(identity, API, token).status_code == 403


def test_without_a_valid_access_token_nobody_signs(identity: Any) -> None:
    """None, junk, a tampered one and an ID token are all 401."""
    token = identity.access_token(API)
    head, body, signature = token.split(".")
    tampered = ".".join((head, body, signature[::-1]))
    for bad in (None, "junk", tampered, identity.id_token(API, identity.url)):
        answer = sign(identity, API, bad)
        assert answer.status_code == 401, bad
        assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("body", [{}, {"payload": "%%%"}, {"payload": 7}, {"payload": None}])
def test_a_body_without_a_payload_is_a_bad_request(identity: Any, body: dict[str, object]) -> None:
    assert sign(identity, API, identity.access_token(API), body).status_code == 400
