"""Which service account calls?  Google's ID tokens: signature, issuer, exact audience, times, verified e-mail.

It does not say who may call; that is for whoever knows the accounts.
"""

import threading
import time
from typing import Any

import httpx2
import jwt

from shared.domain.errors import Unauthenticated, Unavailable

GOOGLE_CERTS = "https://www.googleapis.com/oauth2/v3/certs"
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
LEEWAY_SECONDS = 10
_FETCH_SECONDS = 5.0
_KEPT_SECONDS = 3600.0
# An unknown key id may be a new key, or somebody who makes us ask again and again.
_PAUSE_SECONDS = 10.0
_LONGEST_TOKEN = 16_384


class PublishedKeys:
    """Google's public keys by id, fetched when an unknown one turns up, at most every ten seconds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._lock = threading.Lock()

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key, or None where no such key is published. Raises Unavailable where that cannot be known."""
        with self._lock:
            age = None if self._fetched is None else time.monotonic() - self._fetched
            known = key_id in self._keys
            if age is None or age > _KEPT_SECONDS or (not known and age > _PAUSE_SECONDS):
                self._fetch(needed=not known)
            return self._keys.get(key_id)

    def _fetch(self, *, needed: bool) -> None:
        try:
            answer = httpx2.get(self._url, timeout=_FETCH_SECONDS, trust_env=False)
            answer.raise_for_status()
            found = jwt.PyJWKSet.from_dict(answer.json()).keys
        except (httpx2.HTTPError, jwt.PyJWTError, ValueError, AttributeError, TypeError) as error:
            if not needed:
                # The old ones serve meanwhile, and not every call waits for the next try.
                self._fetched = time.monotonic() - _KEPT_SECONDS + _PAUSE_SECONDS
                return
            raise Unavailable(
                "Google's keys cannot be fetched just now, so nobody can be let in; try again.",
                reason="KEYS_UNAVAILABLE",
            ) from error
        self._keys = {key.key_id: key for key in found if key.key_id and key.key_type == "RSA"}
        self._fetched = time.monotonic()


class GoogleServiceIdentity:
    """Verifies the tokens of service accounts. Safe for threads."""

    def __init__(self, certs_url: str = GOOGLE_CERTS) -> None:
        self._keys = PublishedKeys(certs_url)

    def verify(self, token: str, audience: str) -> str:
        """The e-mail of whose token it is. Raises Unauthenticated, Unavailable."""
        if not token:
            raise Unauthenticated(
                "No ID token was sent; call with `Authorization: Bearer <ID token of a service account>`.",
                reason="TOKEN_MISSING",
            )
        claims = self._claims(token, audience)
        email = claims["email"]
        if claims.get("email_verified") is not True or not isinstance(email, str) or not email:
            raise _invalid(audience)
        return email

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        try:
            key = self._keys.find(_key_id(token))
            if key is None:
                raise _invalid(audience)
            return jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                audience=audience,
                issuer=ISSUERS,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "email"], "strict_aud": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated(
                "The ID token has expired; get a new one and repeat the call.", reason="TOKEN_EXPIRED"
            ) from error
        except jwt.PyJWTError as error:
            raise _invalid(audience) from error


def _key_id(token: str) -> str:
    if len(token) > _LONGEST_TOKEN or not token.isascii():
        raise jwt.DecodeError("not a token")
    return str(jwt.get_unverified_header(token).get("kid", ""))


def _invalid(audience: str) -> Unauthenticated:
    return Unauthenticated(
        f"The ID token is not a valid Google-signed one made out to {audience}; get one for that audience.",
        reason="TOKEN_INVALID",
    )
