"""How do the bytes of a backup travel between here and the store? By a signed URL, streamed, and counted on the way.

Blocking; runs in a thread. The URL is a credential: it appears in no message.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator

import httpx2

from agent.backup.failures import GrantRefusedError, StoreUnreachableError, WorkspaceError
from agent.workspace.grants import Grant

TIMEOUT = httpx2.Timeout(30.0, read=120.0, write=120.0)
PIECE = 256 * 1024


class Counted:
    """Passes bytes on while it counts and digests them."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._sha256 = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Return the digest of what has passed, in hexadecimal."""
        return self._sha256.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces."""
        for piece in self._pieces:
            self._sha256.update(piece)
            self.size += len(piece)
            yield piece


class Source:
    """Reads an iterator of pieces as a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, nothing at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        size = size if size >= 0 else len(self._rest)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def drain(self) -> None:
        """Read to the end."""
        while self.read(PIECE):
            pass


def upload(grant: Grant, pieces: Iterator[bytes]) -> None:
    """PUT a stream of unknown length (chunked); raises WorkspaceError, or what `pieces` raises."""
    try:
        with httpx2.Client(timeout=TIMEOUT, trust_env=False) as client:
            answer = client.put(grant.url, content=pieces, headers=dict(grant.headers))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise StoreUnreachableError(f"the upload broke off ({type(error).__name__})") from error
    if not answer.is_success:
        raise _refused("the upload", answer.status_code, answer.content)


def download(grant: Grant, most: int) -> Iterator[bytes]:
    """GET an object as a stream of at most `most` bytes and one piece; raises WorkspaceError."""
    headers = {"Accept-Encoding": "identity", **grant.headers}
    try:
        with (
            httpx2.Client(timeout=TIMEOUT, trust_env=False) as client,
            client.stream("GET", grant.url, headers=headers) as answer,
        ):
            if answer.status_code != httpx2.codes.OK:
                raise _refused("the download", answer.status_code, answer.read())
            passed = 0
            for piece in answer.iter_raw(PIECE):
                passed += len(piece)
                yield piece
                if passed > most:
                    return
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise StoreUnreachableError(f"the download broke off ({type(error).__name__})") from error


def _refused(what: str, status: int, body: bytes) -> WorkspaceError:
    code = re.search(rb"<Code>(\w{1,64})</Code>", body[:4096])
    name = f" {code.group(1).decode()}" if code else ""
    permanent = 400 <= status < 500 and status not in (408, 429)
    refused = GrantRefusedError if permanent else StoreUnreachableError
    return refused(f"the store refused {what}: HTTP {status}{name}")
