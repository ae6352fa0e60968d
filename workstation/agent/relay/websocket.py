"""May this WebSocket pass to the user's server? The gate and the refusals; the frames themselves are in another room.

An open WebSocket is no activity, only its client's frames are, so a quiesce closes it.
"""

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from agent.activity.model import Source
from agent.control.instance import Instance
from agent.errors import AgentError
from agent.relay.connections import ClosedByAgentError
from agent.relay.target import target_port


class WebSocketRelay:
    """The ASGI application for WebSockets to the user's server."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay one connection until either side closes it."""
        client = WebSocket(scope, receive, send)
        try:
            if scope["path"].startswith("/-/"):
                raise AgentError(
                    404, f"the agent has no {scope['path']}; paths that begin with /-/ are its own"
                )
            self._instance.admit(client.headers)
            with self._instance.connections.held():
                await self._relay(client)
        except AgentError as error:
            await client.send_denial_response(error.response())
        except ClosedByAgentError as closed:
            await client.close(closed.code, closed.reason)

    async def _relay(self, client: WebSocket) -> None:
        # Loaded here because a cold start must answer health checks first, and many instances never need it.
        from agent.relay.frames import relay_frames  # noqa: PLC0415

        port = target_port(client, self._instance.settings)
        await relay_frames(client, port, lambda: self._instance.touch(Source.WEBSOCKET))
