"""How do packs travel between here and the bucket? By signed URLs of single objects, again until they have arrived.

What was created is never sent again: the grants are create-only, so 412 says that the name is taken. When this store
had handed over all of the same bytes under that name before, the answer was lost and the object is ours, for names are
drawn by chance and never used twice; otherwise it is not. A create is whole or does not happen.

Damage on the way is refused by `Content-MD5`: every `x-goog-` header would have to be signed, `x-goog-hash` with it,
and whoever signs does not know the bytes.
"""

import base64
import hashlib
import logging
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import httpx2

from agent.backup.failures import (
    ArchiveRefusedError,
    GrantRefusedError,
    NameTakenError,
    NoObjectError,
    StoreUnreachableError,
    WorkspaceError,
)
from agent.backup.stores.grants import Grant, Grants, ReadGrant, WriteGrant

TIMEOUT = httpx2.Timeout(30.0, read=120.0, write=120.0)
LIMITS = httpx2.Limits(max_connections=16, max_keepalive_connections=8)
PIECE = 256 * 1024
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds between attempts, at most: together they outlast a short outage, and a caller can wait for them."""

_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_DAMAGED, _EXPIRED = "BadDigest", "ExpiredToken"
_UNKNOWN = (httpx2.HTTPError, httpx2.InvalidURL)
_T = TypeVar("_T")

for _name in ("httpx2", "httpcore2"):
    # They would log each URL, signature and all, wherever somebody turns logging up.
    logging.getLogger(_name).setLevel(logging.WARNING)


class GrantedStore:
    """A Store of the objects that `grants` are for. Safe for threads; close it, for it keeps connections."""

    def __init__(self, grants: Grants, pauses: tuple[float, ...] = PAUSES) -> None:
        self._grants = grants
        self._pauses = pauses
        self._client = httpx2.Client(timeout=TIMEOUT, limits=LIMITS, trust_env=False)
        self._handed_over: dict[str, bytes] = {}

    def __enter__(self) -> "GrantedStore":
        return self

    def __exit__(
        self, _type: type | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def put(self, name: str, content: bytes) -> None:
        """Create an object; raises as Store.put does, and NoGrantError, StoppedError."""
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        self._again_and_again(lambda: self._create(name, content, digest))

    def get(self, name: str, most: int) -> Iterator[bytes]:
        """Yield the content, going on where a transfer broke off; raises as Store.get does, and as `put`."""
        reading, pauses = _Reading(name, most), iter(self._pauses)
        while not reading.done:
            before = reading.passed
            try:
                yield from self._read_on(reading)
            except StoreUnreachableError:
                pauses = iter(self._pauses) if reading.passed > before else pauses
                pause = next(pauses, None)
                if pause is None:
                    raise
                self._pause(pause)

    def _again_and_again(self, attempt: Callable[[], _T]) -> _T:
        for pause in self._pauses:
            try:
                return attempt()
            except StoreUnreachableError:
                self._pause(pause)
        return attempt()

    def _pause(self, seconds: float) -> None:
        self._grants.pause(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - keeps many agents out of step

    def _create(self, name: str, content: bytes, digest: bytes) -> None:
        grant = self._grants.take(WriteGrant, name)
        ours = self._handed_over.get(name) == digest
        headers = {
            "Content-Length": str(len(content)),
            "Content-MD5": base64.b64encode(digest).decode(),
            **grant.headers,
        }
        try:
            pieces = self._pieces(name, content, digest)
            answer = self._client.put(grant.url, content=pieces, headers=headers)
        except _UNKNOWN as error:
            raise _broke_off("the upload", error) from None
        if answer.status_code == httpx2.codes.PRECONDITION_FAILED:
            if ours:
                return
            raise NameTakenError(f"there is an object {name} already")
        if not answer.is_success:
            raise self._refused("the upload", grant, answer.status_code, answer.content)

    def _pieces(self, name: str, content: bytes, digest: bytes) -> Iterator[bytes]:
        view = memoryview(content)
        for start in range(0, len(content), PIECE):
            self._grants.pause(0)
            yield bytes(view[start : start + PIECE])
        self._handed_over[name] = digest

    def _read_on(self, reading: "_Reading") -> Iterator[bytes]:
        grant = self._grants.take(ReadGrant, reading.name)
        headers = {"Accept-Encoding": "identity", **grant.headers, **reading.position()}
        try:
            with self._client.stream("GET", grant.url, headers=headers) as answer:
                if answer.status_code != reading.expected_status:
                    raise self._refused("the download", grant, answer.status_code, answer.read())
                reading.begin(answer)
                for piece in answer.iter_raw(PIECE):
                    reading.passed += len(piece)
                    yield piece
                    if reading.passed > reading.most:
                        break
        except _UNKNOWN as error:
            raise _broke_off("the download", error) from None
        reading.done = True

    def _refused(self, what: str, grant: Grant, status: int, body: bytes) -> WorkspaceError:
        found = _CODE.search(body[:4096])
        code = found.group(1).decode() if found else ""
        if code == _EXPIRED:
            self._grants.discard(grant)
        said = f"the store refused {what} of {grant.name}: HTTP {status} {code}".rstrip()
        if status >= 500 or status in (408, 429) or code in (_DAMAGED, _EXPIRED):
            return StoreUnreachableError(said)
        if status == httpx2.codes.NOT_FOUND and isinstance(grant, ReadGrant):
            return NoObjectError(said)
        if status == httpx2.codes.PRECONDITION_FAILED:
            return ArchiveRefusedError(f"{grant.name} changed while it was read")
        return GrantRefusedError(said)


@dataclass(slots=True)
class _Reading:
    """How far a download has come, and of which content."""

    name: str
    most: int
    passed: int = 0
    etag: str = ""
    done: bool = False

    @property
    def expected_status(self) -> int:
        return 206 if self.passed else 200

    def position(self) -> dict[str, str]:
        """Return the headers that ask for the rest of the same content."""
        if not self.passed:
            return {}
        return {"Range": f"bytes={self.passed}-", **({"If-Match": self.etag} if self.etag else {})}

    def begin(self, answer: httpx2.Response) -> None:
        """Check that the answer goes on where the last one ended."""
        if self.passed and not answer.headers.get("content-range", "").startswith(f"bytes {self.passed}-"):
            raise StoreUnreachableError(f"the store sent another part of {self.name} than was asked for")
        self.etag = answer.headers.get("etag", self.etag)


def _broke_off(what: str, error: Exception) -> StoreUnreachableError:
    return StoreUnreachableError(f"{what} broke off ({type(error).__name__})")
