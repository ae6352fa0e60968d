"""With which keys may an account's URLs be verified, and may it sign here at all?"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import httpx2

from emulators.cloud_storage.access.signed_urls import SignedRequest
from emulators.cloud_storage.failures import Reason, StorageError

_FRESH = timedelta(minutes=5)
_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class _Published:
    certificates: tuple[str, ...]
    fetched: datetime


class Signers:
    """The accounts whose signatures count.

    Without a place where keys are published nothing can be verified, and so nothing is accepted.
    """

    def __init__(
        self, keys_base: str | None, allowed: Collection[str], clock: Callable[[], datetime]
    ) -> None:
        self._keys_base = keys_base
        self._allowed = frozenset(allowed)
        self._clock = clock
        self._published: dict[str, _Published] = {}
        self._client = httpx2.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS)

    async def verify(self, request: SignedRequest) -> None:
        """Raise unless the request was signed by an account that may, and is valid now."""
        if self._keys_base is None:
            message = "Signed URLs cannot be verified. Start the emulator with --keys-base URL_OF_IDENTITY."
            raise StorageError(Reason.UNSUPPORTED, message)
        if self._allowed and request.email not in self._allowed:
            message = f"{request.email} does not have access: it is not named by --signer."
            raise StorageError(Reason.DENIED, message)
        request.check_time(self._clock())
        request.check_signature(await self._certificates(request.email))

    async def _certificates(self, email: str) -> tuple[str, ...]:
        known = self._published.get(email)
        if known is None or self._clock() - known.fetched > _FRESH:
            known = _Published(await self._fetch(email), self._clock())
            self._published[email] = known
        return known.certificates

    async def _fetch(self, email: str) -> tuple[str, ...]:
        url = f"{self._keys_base}/robot/v1/metadata/x509/{quote(email, safe='@')}"
        try:
            response = await self._client.get(url)
            return tuple(response.raise_for_status().json().values())
        except (httpx2.HTTPError, ValueError, AttributeError) as error:
            message = f"The keys of {email} cannot be read from {url}: {error!r}."
            raise StorageError(Reason.DENIED, message) from error
