"""How is an emulator served?  On loopback ports of one process, safe from web pages, until SIGTERM.

One event loop serves all ports, so an emulator's state needs no locks against itself.
It never listens anywhere but on 127.0.0.1.
"""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Mapping
from types import FrameType

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from emulators.errors import Code, refusal

LOOPBACK = "127.0.0.1"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
# What a browser says of a request that its user typed in, and of one of a page that we served.
_OWN_SITES = ("none", "same-origin")
_GRACE_SECONDS = 3

log = logging.getLogger(__name__)


_CUT = "dormouse.cut"


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, but that a request's connection can be broken instead of answered."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = {_CUT: {"abort": self.transport.abort}}


class _Cut(Response):
    """No answer at all."""

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        scope["extensions"][_CUT]["abort"]()
        # The server learns of it at the loop's next turn; before, it would complain that there was no answer.
        await asyncio.sleep(0)


def cut(_request: Request) -> Response:
    """The answer that breaks the connection."""
    return _Cut()


async def ready(_request: Request) -> PlainTextResponse:
    """Readiness, in the words of the Firestore emulator."""
    return PlainTextResponse("Ok")


class HostCheck:
    """Refuses what a web page sends: under a name that it rebound to 127.0.0.1, or from an origin other than our own.

    Any page can post to an emulator, as such requests need nobody's leave; one on loopback, such as a workstation's
    own, is no better than another. A browser says of itself where a request comes from; clients say nothing. What
    pages are meant to reach (objects by signed URL, say) is served beside this check, not behind it.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = LOOPBACK_HOSTS) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] != "http" or (foreign := self._foreign(scope)) is None:
            await self._app(scope, receive, send)
            return
        message = (
            f"This emulator answers programs on loopback, not as or to {foreign!r}. Use http://127.0.0.1."
        )
        await refusal(Code.PERMISSION_DENIED, message)(scope, receive, send)

    def _foreign(self, scope: Scope) -> str | None:
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        authority = dict(headers).get(b"host", "").lower()
        if _host_name(authority) not in self._hosts:
            return _host_name(authority)
        origins = [value for name, value in headers if name == b"origin"]
        foreign = [origin for origin in origins if origin.lower() != f"http://{authority}"]
        sites = [value for name, value in headers if name == b"sec-fetch-site"]
        foreign += [f"a {site} page" for site in sites if site not in _OWN_SITES]
        return foreign[0] if foreign else None


def _host_name(authority: str) -> str:
    """The name without its port."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0].lower()


def serve(name: str, apps: Mapping[int, ASGIApp]) -> None:
    """Serve each application on its port until SIGTERM or Ctrl+C; the first one's lifespan runs."""
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name} %(levelname)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    sockets = [_listen(name, port) for port in apps]
    config = uvicorn.Config(
        _by_port(apps),
        http=CuttableProtocol,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, _exit)
    log.info("listening on %s", ", ".join(f"http://{LOOPBACK}:{port}" for port in apps))
    uvicorn.Server(config).run(sockets=sockets)


def _exit(_signal: int, _frame: FrameType | None) -> None:
    """End with success: uvicorn raises the signal again once it has shut down."""
    sys.exit(0)


def _listen(name: str, port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port), backlog=512)
    except OSError as error:
        sys.exit(f"{name}: cannot listen on {LOOPBACK}:{port}: {error.strerror}. Choose another port.")


def _by_port(apps: Mapping[int, ASGIApp]) -> ASGIApp:
    """One application that hands each request to the one of the port it came in on."""
    first = next(iter(apps.values()))

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        app = first if scope["type"] == "lifespan" else apps[scope["server"][1]]
        await app(scope, receive, send)

    return dispatch
