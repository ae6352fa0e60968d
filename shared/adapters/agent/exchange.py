"""One HTTP call to a tenant's machine, bounded in time and in bytes whatever the other side does.

It opens a connection for each call, because a pooled one does not survive a frozen instance. It follows no
redirect, uses no proxy, and undoes no compression.
"""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import httpx2

from shared.domain.errors import Unavailable

MAX_BYTES = 256 * 1024
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    retry_after: str = ""


class Exchange:
    """Makes calls."""

    def call(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None, seconds: float
    ) -> Reply:
        """The answer, within about `seconds`. Raises Unavailable where there is none, or too much of one."""
        timeout = httpx2.Timeout(seconds, connect=CONNECT_SECONDS)
        deadline = time.monotonic() + seconds
        try:
            with (
                httpx2.Client(timeout=timeout, trust_env=False, verify=self._trust) as client,
                client.stream(method, url, headers=headers, content=content) as response,
            ):
                body = _read(response, deadline)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(
                "The workstation's agent cannot be reached; try again.", reason="AGENT_UNREACHABLE"
            ) from error
        return Reply(response.status_code, body, response.headers.get("retry-after", ""))

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """Made once: reading the certificates takes longer than a call."""
        return ssl.create_default_context()


def _read(response: httpx2.Response, deadline: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_BYTES or time.monotonic() > deadline:
            raise Unavailable(
                "The workstation's agent gives an answer without end; stop the workstation if it stays so.",
                reason="AGENT_UNREADABLE",
            )
    return bytes(body)
