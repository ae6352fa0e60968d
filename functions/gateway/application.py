"""The gateway's one route table, and the ASGI application over it. Nothing is opened before the first request."""

from starlette.types import ASGIApp, Receive, Scope, Send

from functions.gateway.gateway import GatewaySource, LazyGateway
from functions.gateway.passage import passage
from functions.gateway.routes import Passage
from functions.gateway.target import PREFIX
from functions.http.application import application
from functions.http.errors import error_response
from functions.http.routes import Access, Answer, Incoming, Route
from shared.domain.errors import NotFound
from shared.domain.names import WorkstationId
from shared.wiring import AppSource

WORKSTATIONS = Passage(
    PREFIX.decode(), Access.USER, "A workstation of the caller's: HTTP by every method, WebSocket."
)


def routes(gateway_source: GatewaySource) -> tuple[Route, ...]:
    """What the gateway answers itself."""

    def health(_incoming: Incoming) -> Answer:
        return Answer({"status": "healthy"})

    async def hold(incoming: Incoming) -> Answer:
        id_ = WorkstationId(incoming.path["workstation"])
        await gateway_source().holds.begin(id_)
        return Answer({"workstation": id_})

    return (
        Route("GET", "/healthz", health, Access.PUBLIC, "Whether it answers."),
        Route(
            "POST",
            "/-/holds/{workstation}",
            hold,
            Access.CONTROLLER,
            "Have a workstation held while it works.",
        ),
    )


def build(app_source: AppSource) -> ASGIApp:
    """The whole gateway."""

    gateway = LazyGateway(app_source)
    own = application(routes(gateway), app_source)
    workstations = passage(WORKSTATIONS.access, gateway)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                await _live(gateway, receive, send)
            case "http" | "websocket" if scope["raw_path"].startswith(PREFIX):
                await workstations(scope, receive, send)
            case "http":
                await own(scope, receive, send)
            case _:
                absent = NotFound("There is no WebSocket here; workstations are below /w/.", "NO_SUCH_ROUTE")
                await error_response(absent, "-")(scope, receive, send)

    return serve


async def _live(gateway: LazyGateway, receive: Receive, send: Send) -> None:
    """Holds are given up before the process goes, so that another one can take them; counts are written down."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await gateway.close()
    await send({"type": "lifespan.shutdown.complete"})
