"""A BackupStore in memory. Its grants are real ones: for one object, one use, and minutes."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import parse_qs, quote, unquote, urlsplit

from shared.domain.errors import FailedPrecondition, NotFound, PermissionDenied
from shared.ports import Clock, Grant, StoredObject

GRANT_LIFETIME = timedelta(minutes=15)
_CASTAGNOLI = 0x82F63B78


class MemoryBackups:
    """The objects of one bucket."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._objects: dict[str, tuple[bytes, datetime]] = {}

    # --- the port ---

    def upload_grant(self, object_name: str) -> Grant:
        """A PUT of this object, if it does not exist yet."""
        return Grant(url=self._url("put", object_name), headers={"x-goog-if-generation-match": "0"})

    def download_grant(self, object_name: str) -> Grant:
        """A GET of this object."""
        return Grant(url=self._url("get", object_name))

    def stat(self, object_name: str) -> StoredObject | None:
        """The object's description, or None."""
        if object_name not in self._objects:
            return None
        content, time = self._objects[object_name]
        return StoredObject(object_name, len(content), crc32c(content), time)

    def sha256(self, object_name: str) -> str:
        """The hash of the content. Raises NotFound."""
        return hashlib.sha256(self._content(object_name)).hexdigest()

    def list(self, prefix: str) -> Sequence[StoredObject]:
        """The objects whose names begin with `prefix`, by name."""
        names = sorted(name for name in self._objects if name.startswith(prefix))
        return [found for name in names if (found := self.stat(name))]

    def delete(self, object_name: str) -> None:
        """Delete the object; absent is done."""
        self._objects.pop(object_name, None)

    # --- what a holder of a grant does ---

    def upload(self, grant: Grant, content: bytes) -> None:
        """PUT with a grant. Raises FailedPrecondition where the object exists, PermissionDenied."""
        name = self._granted("put", grant)
        if name in self._objects:
            raise FailedPrecondition(f"The object {name} exists already.", reason="PRECONDITION_FAILED")
        self._objects[name] = (content, self._clock.now())

    def download(self, grant: Grant) -> bytes:
        """GET with a grant. Raises NotFound, PermissionDenied."""
        return self._content(self._granted("get", grant))

    # --- for tests ---

    def corrupt(self, object_name: str, content: bytes = b"damaged") -> None:
        """Change what is stored, behind everybody's back."""
        self._objects[object_name] = (content, self._objects[object_name][1])

    def _content(self, name: str) -> bytes:
        if name not in self._objects:
            raise NotFound(f"There is no object {name}.", reason="NOT_FOUND")
        return self._objects[name][0]

    def _url(self, verb: str, name: str) -> str:
        expires = (self._clock.now() + GRANT_LIFETIME).timestamp()
        return f"memory://{verb}/{quote(name)}?expires={expires}"

    def _granted(self, verb: str, grant: Grant) -> str:
        url = urlsplit(grant.url)
        expires = float(parse_qs(url.query)["expires"][0])
        if url.netloc != verb or self._clock.now().timestamp() >= expires:
            raise PermissionDenied("The grant is for something else, or has expired.", reason="EXPIRED_GRANT")
        return unquote(url.path.removeprefix("/"))


def crc32c(content: bytes) -> str:
    """Base64 of the big-endian CRC-32C, as Cloud Storage writes it; for small contents."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (_CASTAGNOLI & -(value & 1))
    return base64.b64encode((value ^ 0xFFFFFFFF).to_bytes(4, "big")).decode()
