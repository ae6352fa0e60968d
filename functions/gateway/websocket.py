"""Passing one WebSocket on: its handshake with the client's own path, then frames both ways until either side closes."""

import asyncio
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from functions.gateway.activity import Presence, Stay
from functions.gateway.headers import Headers, to_client
from functions.gateway.http import closed_gate
from functions.gateway.readiness import Readiness
from functions.gateway.tallies import Tallies
from functions.gateway.upstream import Upstream, refuse_the_platforms
from functions.gateway.visit import Visit
from shared.domain.errors import Unavailable
from shared.domain.workstation import Source, Workstation

OPEN_SECONDS = 30.0
CLOSE_SECONDS = 2.0
LARGEST_MESSAGE = 16 * 1024 * 1024
FEW_MESSAGES = 4
BROKEN = 1011


class WebSocketForwarder:
    """Serves the WebSockets of owners."""

    def __init__(
        self, readiness: Readiness, upstream: Upstream, presence: Presence, tallies: Tallies
    ) -> None:
        self._readiness = readiness
        self._upstream = upstream
        self._presence = presence
        self._tallies = tallies

    async def serve(self, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises DormouseError before it is accepted."""
        await receive()
        workstation = await self._readiness.running(visit)
        try:
            connection = await self._open(visit, workstation, scope["subprotocols"])
        except InvalidStatus as refusal:
            await _refused(visit, refusal)(scope, receive, send)
            return
        with self._presence.websocket(visit, workstation) as stay:
            try:
                await send({"type": "websocket.accept", "subprotocol": connection.subprotocol})
                await _relay(connection, receive, send, stay)
            finally:
                await connection.close()

    async def _open(
        self, visit: Visit, workstation: Workstation, subprotocols: list[str]
    ) -> ClientConnection:
        """Raises InvalidStatus where the workstation refuses, Unavailable."""
        while True:
            self._tallies.add(workstation)
            headers = await self._upstream.headers(visit, workstation)
            try:
                return await _Connect(visit, workstation, headers, subprotocols, self._upstream)
            except InvalidStatus as refusal:
                answer = refusal.response
                gate = closed_gate(answer.status_code, answer.headers.get("dormouse-gate", ""))
                if not gate:
                    refuse_the_platforms(answer.status_code, answer.headers)
                    raise
            except (OSError, InvalidHandshake, EOFError) as error:
                raise Unavailable(
                    "The workstation cannot be reached by WebSocket; try again.", "UNREACHABLE"
                ) from error
            workstation = await self._readiness.reopen(visit, workstation, gate)


class _Connect(connect):
    """A handshake whose path is the client's own bytes, and that follows no redirect."""

    def __init__(
        self,
        visit: Visit,
        workstation: Workstation,
        headers: Headers,
        subprotocols: list[str],
        upstream: Upstream,
    ) -> None:
        service = urlsplit(str(workstation.uri))
        secure = service.scheme == "https"
        options: dict[str, Any] = {"ssl": upstream.trust} if secure else {}
        super().__init__(
            f"{'wss' if secure else 'ws'}://{service.netloc}/",
            additional_headers=_handshake_headers(headers),
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            user_agent_header=None,
            compression=None,
            proxy=None,
            # A ping that meets a freeze would close a healthy connection after it.
            ping_interval=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            max_size=LARGEST_MESSAGE,
            max_queue=FEW_MESSAGES,
            **options,
        )
        path, query = visit.target.path.decode("ascii"), visit.target.query.decode("ascii")
        host, port = self.ws_uri.host, self.ws_uri.port
        # Not parsed from text, which would lose a part of some paths.
        self.ws_uri = WebSocketURI(secure, host, port, path, query)

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Never follow."""
        return exc


def _handshake_headers(headers: Headers) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if not name.startswith(b"sec-websocket-")
    ]


def _refused(visit: Visit, refusal: InvalidStatus) -> Response:
    """The workstation's own answer, as a client may see it."""
    answer = refusal.response
    body = bytes(answer.body or b"")
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.raw_items()]
    response = Response(body, answer.status_code)
    passed = to_client(raw, visit.target.prefix, own=visit.target.is_own)
    response.raw_headers = [
        *((name, value) for name, value in passed if name != b"content-length"),
        (b"content-length", str(len(body)).encode()),
    ]
    return response


async def _relay(connection: ClientConnection, receive: Receive, send: Send, stay: Stay) -> None:
    """Until either side closes; then the other one is closed alike."""
    inward = asyncio.create_task(_inward(connection, receive, stay))
    outward = asyncio.create_task(_outward(connection, send))
    both: set[asyncio.Task[Any]] = {inward, outward}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        stay.holds_after = inward.done() and inward.result()
        if not stay.holds_after:
            # What the workstation said last, and how it closed, is still on its way to the client.
            await asyncio.wait((outward,))
    finally:
        for task in both:
            task.cancel()
        await asyncio.wait(both)
    if not outward.cancelled():
        outward.result()


async def _inward(connection: ClientConnection, receive: Receive, stay: Stay) -> bool:
    """Each frame of the client's is activity; True where it was the client that closed."""
    try:
        while (message := await receive())["type"] == "websocket.receive":
            stay.touch(Source.WEBSOCKET)
            await connection.send(_payload(message))
    except ConnectionClosed:
        return False
    # Where the workstation had closed it, this is only the client's echo.
    left = connection.close_code is None
    await connection.close(_sendable(message.get("code")), message.get("reason") or "")
    return left


async def _outward(connection: ClientConnection, send: Send) -> None:
    try:
        async for data in connection:
            await send(_frame(data))
    except ConnectionClosed:
        pass
    with suppress(OSError):
        code = connection.close_code
        await send(
            {
                "type": "websocket.close",
                "code": _sendable(code, BROKEN),
                "reason": connection.close_reason or "",
            }
        )


def _payload(message: Message) -> str | bytes:
    text: str | None = message.get("text")
    return text if text is not None else bytes(message["bytes"])


def _frame(data: str | bytes) -> Message:
    return {"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data}


def _sendable(code: int | None, broken: int = 1000) -> int:
    """Some codes only describe what happened and may not be sent."""
    if code == 1005:
        return 1000
    if code is None or code in (1004, 1006, 1015):
        return broken
    return code
