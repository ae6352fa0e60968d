"""Which path leads where? Builds the ASGI application of one agent; knows every route and no logic."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.control.identity import ControlPlane
from agent.control.instance import BOOT, Instance
from agent.control.keys import PublishedKeys
from agent.control.routes import ControlRoutes
from agent.errors import AgentError, answer_agent_error, answer_unexpected
from agent.execution.children import Children
from agent.execution.routes import ExecutionRoutes
from agent.files.routes import FileRoutes
from agent.health import HealthRoutes
from agent.relay.http import HttpRelay
from agent.relay.websocket import WebSocketRelay
from agent.settings import Settings
from agent.terminal.routes import TerminalRoutes

HEADS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class Agent:
    """The whole agent: one instance and the application over it."""

    def __init__(self, settings: Settings) -> None:
        self.instance = Instance(settings)
        children = Children(self.instance.sampler)
        self._executions = ExecutionRoutes(self.instance, children)
        self._terminals = TerminalRoutes(self.instance, children)
        control_plane = ControlPlane(
            settings.service, settings.controllers, PublishedKeys(settings.certs_url)
        )
        application = Starlette(
            routes=[
                *HealthRoutes(self.instance).routes(),
                *ControlRoutes(self.instance, control_plane, self._end_work).routes(),
                *self._executions.routes(),
                *self._terminals.routes(),
            ],
            exception_handlers={AgentError: answer_agent_error, Exception: answer_unexpected},
            lifespan=self._lifespan,
        )
        # The rest is told apart by its bytes: the router's patterns do not match a path that holds a newline.
        application.router.redirect_slashes = False
        application.router.default = Rest(self.instance)
        self.app = Signed(application, self.instance.boot_id)

    def shut_down(self) -> None:
        """Take no new requests, close what is open, and ask the user's commands to end."""
        self.instance.stopping = True
        self.instance.connections.close_all()
        self._end_work()

    def _end_work(self) -> None:
        self._executions.end_all()
        self._terminals.end_all()

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(self.instance.tick())
        try:
            yield
        finally:
            ticking.cancel()


class Signed:
    """Every answer says which instance it is from: one that does not is the platform's, in our place."""

    def __init__(self, application: ASGIApp, boot_id: str) -> None:
        self._application = application
        self._header = (BOOT.encode(), boot_id.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as the application does."""

        async def signing(message: Message) -> None:
            if message["type"] in HEADS:
                message["headers"] = [*message.get("headers", ()), self._header]
            await send(message)

        await self._application(scope, receive, signing)


class Rest:
    """Files by their path, and whatever is not the agent's own to the user's server."""

    def __init__(self, instance: Instance) -> None:
        self._files = FileRoutes(instance)
        self._http = HttpRelay(instance)
        self._websocket = WebSocketRelay(instance)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection; raises AgentError 404."""
        path: str = scope["path"]
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif path.startswith("/-/files/"):
            await self._files(scope, receive, send)
        elif path.startswith("/-/"):
            raise AgentError(404, f"the agent has no {path}; paths that begin with /-/ are its own")
        else:
            await self._http(scope, receive, send)
