"""The gateway's parts, put together once for a process, at its first request."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from functions.gateway.activity import Presence
from functions.gateway.holds import Holds
from functions.gateway.http import HttpForwarder
from functions.gateway.readiness import Readiness
from functions.gateway.tallies import Tallies
from functions.gateway.upstream import Upstream
from functions.gateway.websocket import WebSocketForwarder
from shared.wiring import App, AppSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    app: App
    holds: Holds
    tallies: Tallies
    http: HttpForwarder
    websocket: WebSocketForwarder


GatewaySource = Callable[[], Gateway]


class LazyGateway:
    """Assembled by whoever asks first, once, however many ask at a time."""

    def __init__(self, app_source: AppSource) -> None:
        self._app_source = app_source
        self._lock = threading.Lock()
        self._gateway: Gateway | None = None

    def __call__(self) -> Gateway:
        with self._lock:
            if self._gateway is None:
                self._gateway = assemble(self._app_source())
            return self._gateway

    async def close(self) -> None:
        """Give up what the gateway holds and write down what it has counted, if there ever was one."""
        if self._gateway is not None:
            await self._gateway.holds.close()
            await self._gateway.tallies.close()


def assemble(app: App) -> Gateway:
    upstream = Upstream(app.tokens, app.settings.gateway_url, app.deps.policy.startup_timeout)
    tallies = Tallies(app.deps)
    holds = Holds(app.deps, upstream, tallies)
    readiness = Readiness(app.deps, tallies, auto_start=app.settings.auto_start)
    presence = Presence(app.deps, tallies, holds.begin_quietly)
    return Gateway(
        app=app,
        holds=holds,
        tallies=tallies,
        http=HttpForwarder(readiness, upstream, presence, tallies),
        websocket=WebSocketForwarder(readiness, upstream, presence, tallies),
    )
