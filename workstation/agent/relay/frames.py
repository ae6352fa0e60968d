"""How do the frames of a WebSocket pass between the client and the user's server? One at a time, both ways."""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from agent.relay.headers import response_headers
from agent.relay.target import nothing_listens
from agent.relay.websocket_upstream import RefusedError, open_upstream

NORMAL, NO_STATUS, ABNORMAL, INTERNAL_ERROR = 1000, 1005, 1006, 1011
CLOSE_SECONDS = 2.0
ONLY_REPORTED = frozenset({ABNORMAL, 1015})


async def relay_frames(client: WebSocket, port: int, touch: Callable[[], None]) -> None:
    """Connect to the user's server and pass frames until either side closes; `touch` is called for the client's."""
    touch()
    try:
        upstream = await open_upstream(client, port)
    except RefusedError as refused:
        await client.send_denial_response(refused.response())
        return
    except OSError as error:
        raise nothing_listens(port) from error
    try:
        await client.accept(upstream.subprotocol, _handshake_headers(upstream))
        await _exchange(client, upstream, touch)
    finally:
        upstream.transport.abort()


async def _exchange(client: WebSocket, upstream: ClientConnection, touch: Callable[[], None]) -> None:
    both = {
        asyncio.create_task(_to_server(client, upstream, touch)),
        asyncio.create_task(_to_client(client, upstream)),
    }
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _to_server(client: WebSocket, upstream: ClientConnection, touch: Callable[[], None]) -> None:
    with contextlib.suppress(ConnectionClosed):
        while (message := await client.receive())["type"] == "websocket.receive":
            touch()
            text = message.get("text")
            await upstream.send(message["bytes"] if text is None else text)
        await upstream.close(_sendable(message.get("code")), message.get("reason") or "")
        return
    # The server closed: the other direction tells the client.
    await asyncio.sleep(CLOSE_SECONDS)


async def _to_client(client: WebSocket, upstream: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in upstream:
            if isinstance(message, str):
                await client.send_text(message)
            else:
                await client.send_bytes(message)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the client closed first
        await client.close(_sendable(upstream.close_code), upstream.close_reason)


def _handshake_headers(upstream: ClientConnection) -> list[tuple[bytes, bytes]]:
    assert upstream.response is not None
    raw = [(name.encode(), value.encode("latin-1")) for name, value in upstream.response.headers.raw_items()]
    return [pair for pair in response_headers(raw) if not pair[0].startswith(b"sec-websocket-")]


def _sendable(code: int | None) -> int:
    """Return a close code that may be sent: some only report what was seen."""
    if code is None or code == NO_STATUS:
        return NORMAL
    return INTERNAL_ERROR if code in ONLY_REPORTED else code
