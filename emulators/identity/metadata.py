"""Who am I?  The metadata server of one service account, as a process on Cloud Run meets it.

Whoever reaches the port gets that account's tokens and no other's: as on Cloud Run, reach is the authority.
"""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulators.identity.accounts import Account, Project
from emulators.identity.tokens import CLOUD_PLATFORM, LIFETIME, TokenIssuer
from emulators.serving import LOOPBACK_HOSTS, HostCheck

Endpoint = Callable[[Request], Awaitable[Response]]

_ROOT = "/computeMetadata/v1"
_HOSTS = LOOPBACK_HOSTS | {"metadata.google.internal", "169.254.169.254"}
_SCOPES = (CLOUD_PLATFORM, "https://www.googleapis.com/auth/userinfo.email", "openid")


def metadata_server(project: Project, account: Account, issuer: TokenIssuer) -> ASGIApp:
    """The application that answers for one account."""
    texts = {
        "project/project-id": project.id,
        "project/numeric-project-id": project.number,
        "instance/region": f"projects/{project.number}/regions/{project.region}",
        "instance/zone": f"projects/{project.number}/zones/{project.region}-1",
        "universe/universe-domain": "googleapis.com",
        "instance/service-accounts/": f"default/\n{account.email}/\n",
    }
    routes = [Route("/", _index), Route("/computeMetadata/", _index), Route(f"{_ROOT}/", _index)]
    routes += [Route(f"{_ROOT}/{path}", _text(text)) for path, text in texts.items()]
    for name in ("default", account.email):
        routes += _account_routes(f"{_ROOT}/instance/service-accounts/{name}", account, issuer)
    middleware = [Middleware(HostCheck, hosts=_HOSTS), Middleware(FlavorCheck)]
    return Starlette(routes=routes, middleware=middleware)


def _account_routes(prefix: str, account: Account, issuer: TokenIssuer) -> list[Route]:
    async def describe(request: Request) -> Response:
        if request.query_params.get("recursive", "").lower() != "true":
            return PlainTextResponse("aliases\nemail\nidentity\nscopes\ntoken\n")
        return JSONResponse({"aliases": ["default"], "email": account.email, "scopes": _SCOPES})

    async def token(request: Request) -> Response:
        asked = request.query_params.get("scopes", "").replace(",", " ").split()
        access_token = issuer.access_token(account, tuple(asked) or _SCOPES)
        seconds = int(LIFETIME.total_seconds()) - 1
        return JSONResponse({"access_token": access_token, "expires_in": seconds, "token_type": "Bearer"})

    async def identity(request: Request) -> Response:
        audience = request.query_params.get("audience", "")
        if not audience:
            return PlainTextResponse("non-empty audience parameter required\n", 400)
        return PlainTextResponse(issuer.id_token(account, audience))

    return [
        Route(f"{prefix}/", describe),
        Route(f"{prefix}/email", _text(account.email)),
        Route(f"{prefix}/aliases", _text("default\n")),
        Route(f"{prefix}/scopes", _text("\n".join(_SCOPES) + "\n")),
        Route(f"{prefix}/token", token),
        Route(f"{prefix}/identity", identity),
    ]


async def _index(_request: Request) -> Response:
    return PlainTextResponse("computeMetadata/\n")


def _text(text: str) -> Endpoint:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse(text)

    return answer


class FlavorCheck:
    """Marks every answer as the metadata server's, and refuses requests that do not ask for one.

    A forwarded request is refused too, like Google's does: it comes from a proxy that was talked into it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403; with the header in both cases."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"metadata-flavor", b"Google")]
            await send(message)

        headers = dict(scope["headers"])
        app = self._app
        if headers.get(b"metadata-flavor") != b"Google" or b"x-forwarded-for" in headers:
            app = PlainTextResponse("Missing Metadata-Flavor:Google header, or a forwarded request.\n", 403)
        await app(scope, receive, send_marked)
