"""Whose ID token is this? Google's: signed by a published key, for the service's address, with a verified e-mail."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import jwt

from emulators.cloud_run.front.keys import Keys
from emulators.cloud_run.front.refusals import Refusal
from emulators.cloud_run.model.roles import Caller

ISSUER = "https://accounts.google.com"
_CHALLENGE = 'Bearer error="invalid_token"'
_KEPT = 1000


class Tokens:
    """Verifies ID tokens by published keys; without a source of keys nobody can show who they are."""

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys
        self._verified: dict[tuple[str, str], tuple[Caller, float]] = {}

    @property
    def can_tell(self) -> bool:
        """Whether there are keys to verify tokens by."""
        return self._keys is not None

    async def verify(self, token: str, audience: str) -> Caller:
        """Who has this token for that audience; Refusal 401 when it does not hold, 403 when it is nobody's."""
        known = self._verified.get((token, audience))
        if known is not None and known[1] > time.time():
            return known[0]
        claims = await self._claims(token, audience)
        if claims.get("email_verified") is not True:
            raise Refusal(403, f"'{claims['email']}' has not shown that this e-mail is theirs.")
        caller = Caller(str(claims["email"]), str(claims.get("hd", "")))
        if len(self._verified) >= _KEPT:
            self._verified.clear()
        self._verified[token, audience] = caller, float(claims["exp"])
        return caller

    async def caller(self, token: str) -> Caller | None:
        """Who has this ID token, whatever it is for; None when it is none that holds."""
        try:
            return await self.verify(token, "") if token and self._keys is not None else None
        except Refusal:
            return None

    async def _claims(self, token: str, audience: str) -> dict[str, Any]:
        try:
            key = await self._key(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=audience or None,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "aud", "iss", "email"], "verify_aud": bool(audience)},
            )
        except jwt.PyJWTError as error:
            raise Refusal(401, f"The ID token is not valid here: {error}.", _CHALLENGE) from error
        except httpx2.HTTPError as error:
            raise Refusal(503, f"The keys of ID tokens could not be fetched: {error!r}.") from error
        return claims

    async def _key(self, token: str) -> Any:
        name = str(jwt.get_unverified_header(token).get("kid"))
        key = await self._keys.find(name) if self._keys is not None else None
        if key is None:
            raise Refusal(401, "The ID token was signed by an unknown key.", _CHALLENGE)
        return key
