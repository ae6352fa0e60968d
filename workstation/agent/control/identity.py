"""Does this call come from the control plane, and in which epoch was it made?

Code inside the workstation can reach the port and can get Google-signed tokens of its own, so the signature alone
proves nothing: the exact e-mail and the exact audience do. It refuses old epochs nowhere; the gate does.
"""

import re
from typing import TYPE_CHECKING, Any

from agent.control.keys import KeysUnavailableError, PublishedKeys
from agent.errors import AgentError, not_now

if TYPE_CHECKING:
    from jwt import PyJWK

ISSUER = "https://accounts.google.com"
LEEWAY_SECONDS = 30
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dormouse"'}


class ControlPlane:
    """Verifies the Dormouse-Authorization header."""

    def __init__(self, service: str, controllers: frozenset[str], keys: PublishedKeys) -> None:
        self._audience = re.compile(rf"dormouse://{re.escape(service)}/epochs/(0|[1-9][0-9]{{0,17}})")
        self._controllers = controllers
        self._keys = keys

    async def epoch(self, authorization: str | None) -> int:
        """Return the epoch of a valid token of a controller; raises AgentError 401, 403 or 503."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthenticated("Dormouse-Authorization: Bearer <ID token> is missing")
        claims = await self._claims(token.strip())
        audience = claims.get("aud")
        match = self._audience.fullmatch(audience) if isinstance(audience, str) else None
        if match is None:
            raise _unauthenticated("the token's audience is not an epoch of this workstation")
        if claims.get("email_verified") is not True or claims.get("email") not in self._controllers:
            raise AgentError(403, "the caller is not the control plane of this workstation")
        return int(match.group(1))

    async def _claims(self, token: str) -> dict[str, Any]:
        # Loaded here because a cold start must answer health checks before it has to verify anything.
        import jwt  # noqa: PLC0415

        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.find(str(key_id))
        except jwt.PyJWTError as error:
            raise _unauthenticated("the token cannot be read") from error
        except KeysUnavailableError as error:
            raise not_now("Google's published keys cannot be fetched; try again") from error
        if key is None:
            raise _unauthenticated("the token is signed by a key that is not published")
        try:
            return _verified(token, key)
        except jwt.PyJWTError as error:
            raise _unauthenticated(f"the token is not valid: {error}") from error


def _verified(token: str, key: "PyJWK") -> dict[str, Any]:
    import jwt  # noqa: PLC0415

    return jwt.decode(
        token,
        key.key,
        algorithms=["RS256"],
        issuer=ISSUER,
        leeway=LEEWAY_SECONDS,
        # The audience holds the epoch, so it is compared by the caller, exactly.
        options={"require": ["exp", "iat", "iss", "aud", "email"], "verify_aud": False},
    )


def _unauthenticated(message: str) -> AgentError:
    return AgentError(401, message, headers=CHALLENGE)
