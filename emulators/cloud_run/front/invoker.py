"""Who may invoke a service? The bearer of a Google ID token for its address, if its e-mail is among the invokers.

The answers are Cloud Run's: 403 without a token, 401 for one that does not hold, 403 for somebody else's.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import httpx2
import jwt

from emulators.cloud_run.front.heads import Request
from emulators.cloud_run.front.keys import Keys
from emulators.cloud_run.front.refusals import Refusal

SERVERLESS_HEADER = b"x-serverless-authorization"
ISSUER = "https://accounts.google.com"
_CHALLENGE = 'Bearer error="invalid_token"'
_KEPT_TOKENS = 1000


class Invokers:
    """The IAM check in front of every service; without a key source everybody may invoke."""

    def __init__(self, keys: Keys | None, emails: Collection[str]) -> None:
        self._keys = keys
        self._emails = frozenset(emails)
        self._verified: dict[tuple[str, str], float] = {}

    async def admit(self, request: Request, audience: str) -> Request:
        """The request as the container may see it; Refusal 401 or 403."""
        if self._keys is None:
            return request.without(SERVERLESS_HEADER)
        serverless = request.values(SERVERLESS_HEADER)
        token = _bearer(serverless or request.values(b"authorization"))
        if self._verified.get((token, audience), 0.0) <= time.time():
            await self._verify(self._keys, token, audience)
        return request.without(SERVERLESS_HEADER) if serverless else _without_signature(request, token)

    async def _verify(self, keys: Keys, token: str, audience: str) -> None:
        claims = await _claims(keys, token, audience)
        email = claims.get("email")
        if claims.get("email_verified") is not True or email not in self._emails:
            raise Refusal(
                403, f"'{email}' may not invoke this service; grant it roles/run.invoker (--invoker)."
            )
        if len(self._verified) >= _KEPT_TOKENS:
            self._verified.clear()
        self._verified[token, audience] = float(claims["exp"])


def _bearer(values: list[bytes]) -> str:
    scheme, _, token = (values[0] if len(values) == 1 else b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Refusal(
            403,
            "The request was not authenticated. Send a Google ID token as X-Serverless-Authorization: Bearer.",
        )
    return token.strip().decode("latin-1")


async def _claims(keys: Keys, token: str, audience: str) -> dict[str, Any]:
    try:
        key = await keys.find(str(jwt.get_unverified_header(token).get("kid")))
        if key is None:
            raise Refusal(401, "The ID token was signed by an unknown key.", _CHALLENGE)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=audience,
            issuer=ISSUER,
            options={"require": ["exp", "iat", "aud", "iss", "email"]},
        )
    except jwt.PyJWTError as error:
        raise Refusal(401, f"The ID token is not valid here: {error}.", _CHALLENGE) from error
    except httpx2.HTTPError as error:
        raise Refusal(503, f"The keys of ID tokens could not be fetched: {error!r}.") from error
    return claims


def _without_signature(request: Request, token: str) -> Request:
    # The container learns who called, but cannot use the token elsewhere.
    unsigned = f"Bearer {token.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE".encode("latin-1")
    return request.without(b"authorization").plus((b"Authorization", unsigned))
