"""Whoever holds the published keys can check an ID token, and nothing else passes as one."""

from typing import Any

import jwt
import pytest
from google.auth import exceptions
from google.auth.transport.requests import Request
from google.oauth2 import id_token

SWEEP = "dormouse-sweep@demo-dormouse.iam.gserviceaccount.com"
AUDIENCE = "https://api.example"
REFUSALS = (ValueError, jwt.PyJWTError, exceptions.GoogleAuthError)


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_google_auth_accepts_an_id_token(identity: Any, version: str) -> None:
    """Both as certificates (v1) and as a JWKS (v3)."""
    claims = id_token.verify_token(
        identity.id_token(SWEEP, AUDIENCE),
        Request(),
        audience=AUDIENCE,
        certs_url=f"{identity.url}/oauth2/{version}/certs",
    )
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["email"] == SWEEP
    assert claims["email_verified"] is True
    assert claims["azp"] == claims["sub"]
    assert claims["sub"].isdecimal()
    assert claims["exp"] - claims["iat"] == 3600


def test_pyjwt_accepts_an_id_token(identity: Any) -> None:
    """PyJWKClient finds the key by its id."""
    token = identity.id_token(SWEEP, AUDIENCE)
    key = jwt.PyJWKClient(f"{identity.url}/oauth2/v3/certs").get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["RS256"], audience=AUDIENCE, issuer="https://accounts.google.com")
    assert claims["email"] == SWEEP


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_an_id_token_for_another_audience_is_refused(identity: Any, version: str) -> None:
    """The audience is the one asked for."""
    token = identity.id_token(SWEEP, "https://other.example")
    with pytest.raises(REFUSALS):
        id_token.verify_token(token, Request(), AUDIENCE, f"{identity.url}/oauth2/{version}/certs")


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_an_access_token_never_passes_as_an_id_token(identity: Any, version: str) -> None:
    """Not even for a verifier that forgets the audience, as google-auth does by default."""
    token = identity.access_token(SWEEP)
    with pytest.raises(REFUSALS):
        id_token.verify_token(token, Request(), None, f"{identity.url}/oauth2/{version}/certs")


def test_other_emulators_can_verify_an_access_token(identity: Any) -> None:
    """By keys of their own place, and told apart by type and issuer."""
    token = identity.access_token(SWEEP, scopes="https://www.googleapis.com/auth/cloud-platform")
    key = jwt.PyJWKClient(f"{identity.url}/emulator/v1/accessTokenCerts").get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["RS256"], issuer="https://oauth2.googleapis.com")
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    assert claims["email"] == SWEEP
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
