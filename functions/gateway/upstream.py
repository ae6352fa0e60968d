"""How does a request reach a workstation? Streamed, over a connection of its own, as this process's own account.

No pool: a pooled connection does not survive a frozen instance. No redirect is followed and nothing is sent twice.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine, Mapping
from datetime import timedelta
from functools import cached_property
from urllib.parse import urlsplit

import httpx2
from starlette.concurrency import run_in_threadpool

from functions.gateway.body import ClientBody
from functions.gateway.headers import Headers, to_workstation, value_of
from functions.gateway.visit import Visit, has_body
from shared.domain.errors import Unavailable
from shared.domain.workstation import Workstation
from shared.ports import Tokens

CONNECT_SECONDS = 10.0
BOOT = "dormouse-boot"
"""By this header a request says which instance it is for, and an answer which one it is from."""
PLATFORMS_OWN = frozenset({429, 500, 502, 503, 504})
"""What Cloud Run itself answers with where no instance does."""
LONGEST_ANNOUNCED = 32 * 1024 * 1024
"""Cloud Run refuses a longer HTTP/1 request; one in chunks may have any size."""
_TIMEOUT = {"connect": CONNECT_SECONDS, "read": None, "write": None, "pool": None}


class Upstream:
    """The way to every workstation."""

    def __init__(self, tokens: Tokens, gateway_url: str, patience: timedelta) -> None:
        """`patience` is how long an agent may take to begin its answer."""
        self._tokens = tokens
        self._patience = patience.total_seconds()
        self._gateway = urlsplit(gateway_url)

    async def send(self, visit: Visit, workstation: Workstation, body: ClientBody) -> httpx2.Response:
        """The answer, its body still to be read and closed. Raises Unavailable, ClientGone."""
        headers = await self.headers(visit, workstation)
        call = self.call(str(workstation.uri), visit.method, visit.target.raw, headers, _framed(visit, body))
        # A user's program may take its time; the agent begins its answer as soon as it has the request.
        return await self._in_time(call, body) if visit.target.is_own else await call

    async def headers(self, visit: Visit, workstation: Workstation) -> Headers:
        """The client's headers without what speaks for us, and what we say ourselves."""
        own = {
            b"dormouse-port": str(workstation.spec.port),
            b"x-forwarded-proto": self._gateway.scheme or "https",
            b"x-forwarded-host": self._gateway.netloc or value_of(visit.headers, b"host").decode("latin-1"),
            b"x-forwarded-prefix": visit.target.prefix,
            # Nobody but the instance that was loaded answers: another one may be empty, or hold something older.
            BOOT.encode(): str(workstation.boot_id),
        }
        invoker = await self.invoker(str(workstation.uri))
        return [
            *to_workstation(visit.headers),
            *invoker,
            *((name, value.encode("latin-1")) for name, value in own.items()),
        ]

    async def invoker(self, uri: str) -> Headers:
        """What the platform wants of whoever calls the service."""
        token = await run_in_threadpool(self._tokens.token, uri)
        return [(b"x-serverless-authorization", f"Bearer {token}".encode())]

    async def control(self, audience: str) -> Headers:
        """What an agent wants of the control plane."""
        token = await run_in_threadpool(self._tokens.token, audience)
        return [(b"dormouse-authorization", f"Bearer {token}".encode())]

    async def call(
        self,
        uri: str,
        method: str,
        target: bytes,
        headers: Headers,
        content: "tuple[Headers, httpx2.AsyncByteStream]",
    ) -> httpx2.Response:
        """One exchange with a service; `target` goes out as it is. Raises Unavailable."""
        framing, stream = content
        host = (b"host", urlsplit(uri).netloc.encode())
        request = httpx2.Request(
            method,
            uri,
            headers=[host, *headers, *framing],
            stream=stream,
            extensions={"target": target, "timeout": _TIMEOUT},
        )
        try:
            return await self._transport.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Unavailable(
                "The workstation cannot be reached; nothing was sent to it. Try again.", "UNREACHABLE"
            ) from error
        except httpx2.TransportError as error:
            raise Unavailable(
                "The connection to the workstation broke before it answered; it may have carried the request out.",
                "CONNECTION_BROKE",
            ) from error

    async def _in_time(
        self, call: Coroutine[None, None, httpx2.Response], body: ClientBody
    ) -> httpx2.Response:
        answer, sent = asyncio.create_task(call), asyncio.create_task(body.completed())
        try:
            await asyncio.wait((answer, sent), return_when=asyncio.FIRST_COMPLETED)
            return await asyncio.wait_for(answer, self._patience)
        except TimeoutError as error:
            raise Unavailable(
                "The workstation's agent does not answer; it may have carried the request out. If it stays silent, stop "
                "the workstation and wake it: a program in it may have halted the agent.",
                "AGENT_SILENT",
            ) from error
        finally:
            answer.cancel()
            sent.cancel()

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """Made once: reading the certificates takes longer than a call."""
        return ssl.create_default_context()

    @cached_property
    def _transport(self) -> httpx2.AsyncHTTPTransport:
        none_kept = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx2.AsyncHTTPTransport(verify=self.trust, trust_env=False, limits=none_kept)


class _Pieces(httpx2.AsyncByteStream):
    def __init__(self, body: ClientBody) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            yield piece


def _framed(visit: Visit, body: ClientBody) -> tuple[Headers, httpx2.AsyncByteStream]:
    """A body is announced as its client announced it, or in chunks where the platform takes no such length."""
    length = value_of(visit.headers, b"content-length")
    if not has_body(visit):
        return [(b"content-length", b"0")] if length else [], httpx2.ByteStream(b"")
    if (
        not length.isdigit()
        or int(length) > LONGEST_ANNOUNCED
        or value_of(visit.headers, b"transfer-encoding")
    ):
        return [(b"transfer-encoding", b"chunked")], _Pieces(body)
    return [(b"content-length", length)], _Pieces(body)


def refuse_the_platforms(status: int, headers: Mapping[str, str]) -> None:
    """Raises Unavailable for what no agent signed: the platform's own words, where the instance gave no answer."""
    if status in PLATFORMS_OWN and BOOT not in headers:
        raise Unavailable(
            f"Cloud Run answered {status} in the workstation's place: its instance is gone or has only just begun. It "
            "may have carried the request out; try again in a moment.",
            "CONNECTION_BROKE",
            metadata={"platformStatus": str(status)},
        )


def content(data: bytes) -> tuple[Headers, httpx2.AsyncByteStream]:
    """A JSON body of our own."""
    headers = [(b"content-length", str(len(data)).encode()), (b"content-type", b"application/json")]
    return headers, httpx2.ByteStream(data)
