"""What does a token say, and does this access token hold?

ID tokens are Google's: verifiable by anyone with the published keys.  Access tokens are opaque to clients.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt

from emulators.identity.accounts import Account
from emulators.identity.keys import KeyRing

ID_TOKEN_ISSUER = "https://accounts.google.com"  # noqa: S105 - an issuer, not a secret
ACCESS_TOKEN_ISSUER = "https://oauth2.googleapis.com"  # noqa: S105 - an issuer, not a secret
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
LIFETIME = timedelta(hours=1)

Clock = Callable[[], datetime]


class InvalidTokenError(Exception):
    """The access token is not ours, was changed, or has expired."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid access token grants, and to whom."""

    email: str
    unique_id: str
    scopes: tuple[str, ...]
    expires: int
    """Seconds since the epoch."""
    is_downscoped: bool = False
    """Whether it holds for Cloud Storage alone, and only as far as its boundary."""


class TokenIssuer:
    """Makes tokens for accounts, and recognises the access tokens it made."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def id_token(self, account: Account, audience: str) -> str:
        """A Google ID token of the account for the audience."""
        now = int(self._clock().timestamp())
        claims = {
            "iss": ID_TOKEN_ISSUER,
            "aud": audience,
            "azp": account.unique_id,
            "sub": account.unique_id,
            "email": account.email,
            "email_verified": True,
            "iat": now,
            "exp": now + int(LIFETIME.total_seconds()),
        }
        return jwt.encode(claims, self._keys.id_tokens.private, "RS256", {"kid": self._keys.id_tokens.id})

    def access_token(self, account: Account, scopes: tuple[str, ...]) -> str:
        """An access token of the account."""
        claims = {
            "iss": ACCESS_TOKEN_ISSUER,
            "sub": account.unique_id,
            "email": account.email,
            "scope": " ".join(scopes),
            "exp": int((self._clock() + LIFETIME).timestamp()),
            "jti": uuid4().hex,
        }
        return self._signed(claims)

    def downscoped_token(self, token: str, boundary: object) -> tuple[str, int]:
        """A token for what the boundary allows of another one, and its seconds; raises InvalidTokenError."""
        grant = self.verify_access_token(token)
        if grant.is_downscoped:
            raise InvalidTokenError("It is downscoped already.")
        claims = {
            "iss": ACCESS_TOKEN_ISSUER,
            "sub": grant.unique_id,
            "email": grant.email,
            "scope": " ".join(grant.scopes),
            "exp": grant.expires,
            "jti": uuid4().hex,
            "access_boundary": boundary,
        }
        return self._signed(claims), grant.expires - int(self._clock().timestamp())

    def verify_access_token(self, token: str) -> Grant:
        """Who the token stands for; raises InvalidTokenError."""
        try:
            claims = jwt.decode(
                token,
                self._keys.access_tokens.private.public_key(),
                ["RS256"],
                issuer=ACCESS_TOKEN_ISSUER,
                # Its clock is the system's; ours is told.
                options={"require": ["exp", "email", "scope"], "verify_exp": False},
            )
        except jwt.PyJWTError as error:
            raise InvalidTokenError(str(error)) from error
        if claims["exp"] <= self._clock().timestamp():
            raise InvalidTokenError("The token has expired.")
        scopes = tuple(claims["scope"].split())
        return Grant(claims["email"], claims["sub"], scopes, claims["exp"], "access_boundary" in claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        header = {"typ": "at+jwt", "kid": self._keys.access_tokens.id}
        return jwt.encode(claims, self._keys.access_tokens.private, "RS256", header)
