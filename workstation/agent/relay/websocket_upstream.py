"""How is a WebSocket to the user's server opened, with the client's own path, host, headers and subprotocols?"""

from typing import Any

from starlette.responses import Response
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.http11 import Request
from websockets.typing import Subprotocol

from agent.errors import AgentError
from agent.relay.headers import request_headers, response_headers
from agent.relay.target import target_path

OPEN_SECONDS = 15
LARGEST_MESSAGE = 16 * 1024 * 1024
FEW_MESSAGES = 4


class RefusedError(Exception):
    """The user's server answered the handshake with something else than a WebSocket."""

    def __init__(self, status: InvalidStatus) -> None:
        super().__init__(str(status))
        self._answer = status.response

    def response(self) -> Response:
        """Return that answer."""
        raw = [(name.encode(), value.encode("latin-1")) for name, value in self._answer.headers.raw_items()]
        response = Response(bytes(self._answer.body or b""), self._answer.status_code)
        response.raw_headers = [
            (name, value) for name, value in response_headers(raw) if name != b"content-length"
        ] + [(b"content-length", str(len(self._answer.body or b"")).encode())]
        return response


class _Connection(ClientConnection):
    """A connection whose handshake is the client's own, not one made anew from a parsed address."""

    relayed: WebSocket

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Send the client's path and host."""
        client = self.relayed
        make = self.protocol.connect

        def as_the_client_sent_it() -> Request:
            request = make()
            request.path = target_path(client).decode("ascii")
            if host := client.headers.get("host"):
                del request.headers["Host"]
                request.headers["Host"] = host
            return request

        self.protocol.connect = as_the_client_sent_it  # type: ignore[method-assign]
        await super().handshake(*args, **kwargs)


class _Connect(connect):
    """A connect that hands a redirect to the client instead of following it."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Never follow."""
        return exc


async def open_upstream(client: WebSocket, port: int) -> ClientConnection:
    """Open the connection, IPv4 first; raises OSError, RefusedError or an AgentError 502."""
    try:
        return await _open(client, "127.0.0.1", port)
    except ConnectionRefusedError:
        return await _open(client, "[::1]", port)


async def _open(client: WebSocket, host: str, port: int) -> ClientConnection:
    try:
        return await _Connect(
            f"ws://{host}:{port}/",
            additional_headers=_headers(client),
            subprotocols=[Subprotocol(name) for name in client.scope["subprotocols"]] or None,
            user_agent_header=None,
            create_connection=_connection_of(client),
            compression=None,
            proxy=None,
            # A ping that meets a freeze would close a healthy connection after it.
            ping_interval=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=2,
            max_size=LARGEST_MESSAGE,
            max_queue=FEW_MESSAGES,
        )
    except InvalidStatus as status:
        raise RefusedError(status) from status
    except (InvalidHandshake, EOFError) as error:
        raise AgentError(502, f"the server on port {port} does not speak WebSocket here: {error}") from error


def _connection_of(client: WebSocket) -> type[ClientConnection]:
    class Bound(_Connection):
        relayed = client

    return Bound


def _headers(client: WebSocket) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in request_headers(client.headers.raw)
        if name != b"host" and not name.startswith(b"sec-websocket-")
    ]
