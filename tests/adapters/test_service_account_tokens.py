"""Whose Google-signed ID token is believed: only a fresh one, signed by Google, for exactly us, with a verified e-mail."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from shared.adapters.google_oidc import GoogleServiceIdentity
from shared.domain.errors import Unauthenticated, Unavailable

AUDIENCE = "https://sweep.example/"
SCHEDULER = "dormouse-scheduler@demo-dormouse.iam.gserviceaccount.com"


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a good token; a change to None leaves a claim out."""
    now = int(time.time())
    good = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "sub": "1",
        "email": SCHEDULER,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


@pytest.fixture
def identity(wire: Any, keys: Any) -> Iterator[GoogleServiceIdentity]:
    wire.will_answer(200, keys.jwks())
    return GoogleServiceIdentity(wire.url)


def refused(identity: GoogleServiceIdentity, token: str) -> str:
    with pytest.raises(Unauthenticated) as raised:
        identity.verify(token, AUDIENCE)
    return raised.value.reason


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_a_good_token_gives_its_email(identity: GoogleServiceIdentity, keys: Any, issuer: str) -> None:
    assert identity.verify(keys.sign(claims(iss=issuer)), AUDIENCE) == SCHEDULER


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": "https://sweep.example"}, id="audience-without-the-slash"),
        pytest.param({"aud": [AUDIENCE, "https://other.example"]}, id="audience-among-others"),
        pytest.param({"aud": None}, id="no-audience"),
        pytest.param({"iss": "https://accounts.google.com.evil.example"}, id="other-issuer"),
        pytest.param({"iss": "https://securetoken.google.com/demo-dormouse"}, id="firebase-issuer"),
        pytest.param({"iss": None}, id="no-issuer"),
        pytest.param({"email": None}, id="no-email"),
        pytest.param({"email": ""}, id="empty-email"),
        pytest.param({"email": [SCHEDULER]}, id="email-that-is-a-list"),
        pytest.param({"email_verified": False}, id="unverified-email"),
        pytest.param({"email_verified": "true"}, id="email-verified-as-text"),
        pytest.param({"email_verified": None}, id="no-word-on-the-email"),
        pytest.param({"exp": None}, id="never-expires"),
        pytest.param({"iat": None}, id="issued-never"),
    ],
)
def test_a_token_that_is_not_for_us_is_invalid(
    identity: GoogleServiceIdentity, keys: Any, changes: dict[str, Any]
) -> None:
    assert refused(identity, keys.sign(claims(**changes))) == "TOKEN_INVALID"


def test_an_expired_token_says_so(identity: GoogleServiceIdentity, keys: Any) -> None:
    assert refused(identity, keys.sign(claims(exp=int(time.time()) - 60))) == "TOKEN_EXPIRED"


def test_a_token_of_the_future_is_invalid(identity: GoogleServiceIdentity, keys: Any) -> None:
    assert refused(identity, keys.sign(claims(iat=int(time.time()) + 600))) == "TOKEN_INVALID"


def test_clocks_may_differ_by_a_few_seconds(identity: GoogleServiceIdentity, keys: Any) -> None:
    now = int(time.time())
    assert identity.verify(keys.sign(claims(iat=now + 5)), AUDIENCE) == SCHEDULER
    assert identity.verify(keys.sign(claims(exp=now - 5)), AUDIENCE) == SCHEDULER


def test_a_signature_by_another_key_is_invalid(identity: GoogleServiceIdentity, other_keys: Any) -> None:
    assert refused(identity, other_keys.sign(claims())) == "TOKEN_INVALID"


def test_an_unknown_key_id_is_invalid(identity: GoogleServiceIdentity, keys: Any) -> None:
    assert refused(identity, keys.sign(claims(), kid="k9")) == "TOKEN_INVALID"


def test_a_token_without_signature_is_invalid(identity: GoogleServiceIdentity) -> None:
    assert refused(identity, jwt.encode(claims(), None, "none", {"kid": "k1"})) == "TOKEN_INVALID"


def test_a_token_signed_with_the_public_key_as_a_secret_is_invalid(
    identity: GoogleServiceIdentity, keys: Any
) -> None:
    """The classic confusion of RS256 with HS256, put together by hand because the library refuses to."""
    assert refused(identity, signed_hs256(keys.public_pem, claims())) == "TOKEN_INVALID"


def signed_hs256(secret: bytes, payload: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT", "kid": "k1"}, payload)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + signature).decode()


@pytest.mark.parametrize("token", ["x", "a.b.c", "é.é.é", "." * 3, "a" * 20_000, "Bearer x"])
def test_what_is_no_token_is_invalid(identity: GoogleServiceIdentity, token: str) -> None:
    assert refused(identity, token) == "TOKEN_INVALID"


def test_no_token_says_what_to_send(identity: GoogleServiceIdentity) -> None:
    assert refused(identity, "") == "TOKEN_MISSING"


def test_the_keys_are_fetched_once_for_many_tokens(
    identity: GoogleServiceIdentity, keys: Any, wire: Any
) -> None:
    for _ in range(20):
        identity.verify(keys.sign(claims()), AUDIENCE)
    assert len(wire.requests) == 1


def test_unknown_key_ids_do_not_make_us_fetch_again_and_again(
    identity: GoogleServiceIdentity, keys: Any, wire: Any
) -> None:
    for n in range(20):
        refused(identity, keys.sign(claims(), kid=f"k{n + 10}"))
    assert len(wire.requests) == 1


@pytest.mark.parametrize("answer", [(500, {}), (200, {"keys": "none"}), (200, b"<html>")])
def test_without_keys_nobody_comes_in_and_it_is_not_their_fault(
    identity: GoogleServiceIdentity, keys: Any, wire: Any, answer: tuple[int, Any]
) -> None:
    wire.will_answer(*answer)
    with pytest.raises(Unavailable):
        identity.verify(keys.sign(claims()), AUDIENCE)
    wire.will_answer(200, keys.jwks())
    assert identity.verify(keys.sign(claims()), AUDIENCE) == SCHEDULER
