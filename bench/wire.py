"""A client that costs next to nothing, so that what is measured is the server: one kept connection, no parsing."""

import http.client
import json
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import urlsplit

_BLOCK = 1 << 18


class Refused(Exception):
    """A server answered what the measurement does not expect."""


class Wire:
    """One connection to a server, for one thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=120, blocksize=_BLOCK
        )

    def call(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The body of a 2xx answer; raises Refused on any other."""
        self._connection.request(method, path, body, dict(headers or {}))
        answer = self._connection.getresponse()
        content = answer.read()
        if not 200 <= answer.status < 300:
            raise Refused(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content

    def drain(self, path: str) -> int:
        """The length of what a GET brings; it is read and thrown away."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        length, buffer = 0, bytearray(_BLOCK)
        while count := answer.readinto(buffer):
            length += count
        return length

    def json(self, method: str, path: str, content: object | None = None) -> dict[str, Any]:
        """A call with JSON both ways."""
        body = None if content is None else json.dumps(content).encode()
        answer: dict[str, Any] = json.loads(
            self.call(method, path, body, {"Content-Type": "application/json"})
        )
        return answer
