"""Which keys sign Google's ID tokens? A JWKS document, cached as its Cache-Control allows."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx2
import jwt

_MAX_AGE = re.compile(r"max-age=(\d+)")
_LEAST_SECONDS_BETWEEN_FETCHES = 1.0
_TIMEOUT_SECONDS = 5.0


class Keys:
    """The published keys by key id; an unknown id makes it look again, at most once a second."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, Any] = {}
        self._fetched_at = float("-inf")
        self._fresh_until = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> Any | None:
        """The key with that id, None when nobody publishes it."""
        async with self._fetching:
            now = asyncio.get_running_loop().time()
            stale = now >= self._fresh_until or key_id not in self._keys
            if stale and now - self._fetched_at >= _LEAST_SECONDS_BETWEEN_FETCHES:
                await self._fetch(now)
        return self._keys.get(key_id)

    async def _fetch(self, now: float) -> None:
        async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            response = await client.get(self._url)
        response.raise_for_status()
        published = jwt.PyJWKSet.from_dict(response.json()).keys
        self._keys = {str(key.key_id): key.key for key in published}
        age = _MAX_AGE.search(response.headers.get("cache-control", ""))
        self._fetched_at = now
        self._fresh_until = now + (int(age[1]) if age else 0)
