"""Whose access token is this, and how far does it reach?

Who sends none is taken for an owner, as everybody on loopback; a token that is sent must hold.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx2
import jwt
from jwt.types import Options
from starlette.requests import Request

from emulators.boundaries.boundary import BadBoundaryError, Boundary
from emulators.cloud_storage.failures import Reason, StorageError

_FRESH = timedelta(minutes=5)
_TIMEOUT_SECONDS = 5


class Bearers:
    """Access tokens of the identity emulator, verified by the keys that it publishes for that."""

    def __init__(self, keys_base: str | None, clock: Callable[[], datetime]) -> None:
        self._keys_base = keys_base
        self._clock = clock
        self._keys: dict[str, Any] = {}
        self._fetched: datetime | None = None
        self._client = httpx2.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS)

    async def boundary(self, request: Request) -> Boundary | None:
        """What a downscoped token is limited to; None for an owner.  Raises when the token does not hold."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if self._keys_base is None:
            _check_unlimited(token.strip())
            return None
        claims = await self._claims(token.strip())
        limits = claims.get("access_boundary")
        try:
            return None if limits is None else Boundary.parse(limits)
        except BadBoundaryError as error:
            raise StorageError(Reason.UNAUTHENTICATED, f"Invalid Credentials: {error}") from error

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid")))
            # Its clock is the system's; ours is told.
            checks: Options = {
                "require": ["exp"],
                "verify_exp": False,
                "verify_aud": False,
                "verify_iat": False,
            }
            claims: dict[str, Any] = jwt.decode(token, key, ["RS256"], checks)
        except jwt.PyJWTError as error:
            raise StorageError(Reason.UNAUTHENTICATED, f"Invalid Credentials: {error}") from error
        if claims["exp"] <= self._clock().timestamp():
            raise StorageError(Reason.UNAUTHENTICATED, "Invalid Credentials: the token has expired.")
        return claims

    async def _key(self, key_id: str) -> Any:
        if self._fetched is None or key_id not in self._keys or self._clock() - self._fetched > _FRESH:
            self._keys, self._fetched = await self._fetch(), self._clock()
        if key_id not in self._keys:
            raise StorageError(Reason.UNAUTHENTICATED, "Invalid Credentials: nobody here issued the token.")
        return self._keys[key_id]

    async def _fetch(self) -> dict[str, Any]:
        url = f"{self._keys_base}/emulator/v1/accessTokenCerts"
        try:
            answer = await self._client.get(url)
            keys = answer.raise_for_status().json()["keys"]
            return {key["kid"]: jwt.PyJWK(key).key for key in keys}
        except (httpx2.HTTPError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            message = f"Invalid Credentials: the keys cannot be read from {url}: {error!r}."
            raise StorageError(Reason.UNAUTHENTICATED, message) from error


def _check_unlimited(token: str) -> None:
    """Raise when a token that cannot be verified claims limits, as they would not be held to."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return
    if "access_boundary" in claims:
        message = "Downscoped tokens cannot be verified. Start the emulator with --keys-base URL_OF_IDENTITY."
        raise StorageError(Reason.UNSUPPORTED, message)
