"""Which public keys does Google sign ID tokens with at present? Fetched when needed, kept as long as their answer says."""

import asyncio
import re
from typing import TYPE_CHECKING

from agent import clock

if TYPE_CHECKING:
    from jwt import PyJWK

DEFAULT_AGE = 300.0
# An unknown key id may be a new key, or somebody who makes us ask again and again.
SHORTEST_PAUSE = 5.0
ANSWER_LIMIT = 1024 * 1024


class KeysUnavailableError(Exception):
    """The keys could not be fetched and none are known."""


class PublishedKeys:
    """A cache of a JWKS document; one fetch at a time; old keys serve while the new ones cannot be had."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, PyJWK] = {}
        self._expires = 0.0
        self._asked: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, key_id: str) -> "PyJWK | None":
        """Return the key with that id, or None; raises KeysUnavailableError."""
        async with self._lock:
            at = clock.monotonic()
            paused = self._asked is not None and at - self._asked < SHORTEST_PAUSE and bool(self._keys)
            if (key_id not in self._keys or at >= self._expires) and not paused:
                self._asked = at
                await self._fetch(at)
            return self._keys.get(key_id)

    async def _fetch(self, at: float) -> None:
        # Loaded here because a cold start must answer health checks before it has to verify anything.
        import httpx2  # noqa: PLC0415

        try:
            async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
                answer = await client.get(self._url)
            answer.raise_for_status()
            keys = parse_keys(answer.content)
        except (httpx2.HTTPError, ValueError) as error:
            if not self._keys:
                raise KeysUnavailableError(str(error)) from error
            return
        self._keys = keys
        self._expires = at + maximum_age(answer.headers.get("cache-control", ""))


def parse_keys(document: bytes) -> "dict[str, PyJWK]":
    """Return the RS256 keys of a JWKS document by id; raises ValueError."""
    import jwt  # noqa: PLC0415

    try:
        found = jwt.PyJWKSet.from_json(document.decode()).keys
    except (jwt.PyJWTError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the published keys are not a JWKS document: {error}") from error
    return {key.key_id: key for key in found if key.key_id and key.key_type == "RSA"}


def maximum_age(cache_control: str) -> float:
    """Return the max-age of a Cache-Control header in seconds, or the default."""
    match = re.search(r"max-age=(\d{1,9})", cache_control)
    return float(match.group(1)) if match else DEFAULT_AGE
