"""Who are we, to a service or an agent? Google-signed ID tokens of this process's own account, kept while they last."""

import base64
import binascii
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from shared.domain.errors import Unavailable
from shared.ports import Clock

RENEW_BEFORE = timedelta(minutes=5)
MOST_KEPT = 10_000
"""Audiences change with every epoch, so the old ones have to go."""
FETCH_SECONDS = 5


class CachedTokens:
    """Fetches a token once for each audience, until five minutes before it expires. Safe for threads."""

    def __init__(self, clock: Clock, fetch: Callable[[str], str] | None = None) -> None:
        self._clock = clock
        self._fetch = fetch or fetch_from_metadata
        self._kept: dict[str, tuple[datetime, str]] = {}
        self._lock = threading.Lock()

    def token(self, audience: str) -> str:
        """The kept token, or a new one."""
        now = self._clock.now()
        kept = self._kept.get(audience)
        if kept is not None and now < kept[0]:
            return kept[1]
        token = self._fetch(audience)
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[audience] = (_expiry(token) - RENEW_BEFORE, token)
        return token


def fetch_from_metadata(audience: str) -> str:
    """A new ID token of the account that this process runs as. Raises Unavailable."""
    # Its imports are paid by the first call to an agent, not by every cold start.
    from google.auth import exceptions  # noqa: PLC0415
    from google.auth.transport.requests import Request  # noqa: PLC0415
    from google.oauth2 import id_token  # noqa: PLC0415

    request = Request()

    def bounded(*args: object, timeout: float = FETCH_SECONDS, **kwargs: object) -> object:
        return request(*args, timeout=timeout, **kwargs)

    try:
        return str(id_token.fetch_id_token(bounded, audience))
    except (exceptions.GoogleAuthError, OSError) as error:
        raise Unavailable(
            "The metadata server gave no ID token; check that this process runs as a service account.",
            reason="NO_CREDENTIALS",
        ) from error


def _expiry(token: str) -> datetime:
    """When it ends, read from our own token without verifying it; a token that cannot be read is not kept."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return datetime.fromtimestamp(0, UTC)
