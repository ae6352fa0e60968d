"""The passage to the owners' workstations: authenticate, authorise the address, and hand over to HTTP or WebSocket."""

import asyncio
import secrets

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.gateway.body import ClientGone
from functions.gateway.gateway import GatewaySource
from functions.gateway.headers import value_of
from functions.gateway.target import read_target
from functions.gateway.visit import Visit, method_of
from functions.http.application import UNEXPECTED
from functions.http.authentication import authenticate
from functions.http.errors import error_response
from functions.http.routes import Access
from shared.domain.errors import DormouseError
from shared.log import logger


def passage(access: Access, gateway_source: GatewaySource) -> ASGIApp:
    """The ASGI application of everything below `/w/`, open to whom `access` names."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        request_id, begun = secrets.token_hex(8), False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            try:
                await send(message)
            except OSError:
                raise ClientGone from None

        try:
            await _pass(access, gateway_source, request_id, scope, receive, watched)
        except ClientGone:
            return
        except DormouseError as error:
            await error_response(error, request_id)(scope, receive, send)
        except Exception:
            logger().exception("unexpected error", path="/w/", requestId=request_id)
            if not begun:
                await error_response(UNEXPECTED, request_id)(scope, receive, send)

    return serve


async def _pass(
    access: Access,
    gateway_source: GatewaySource,
    request_id: str,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    gateway = await run_in_threadpool(gateway_source)
    authorization = value_of(scope["headers"], b"authorization").decode("latin-1")
    caller = await run_in_threadpool(authenticate, access, authorization, gateway.app)
    assert caller is not None
    startup = gateway.app.deps.policy.startup_timeout.total_seconds()
    visit = Visit(
        owner=caller.owner,
        target=read_target(scope["raw_path"], scope["query_string"]),
        method=method_of(scope),
        headers=scope["headers"],
        request_id=request_id,
        deadline=asyncio.get_running_loop().time() + startup,
    )
    if scope["type"] == "websocket":
        await gateway.websocket.serve(visit, scope, receive, send)
    else:
        await gateway.http.serve(visit, receive, send)
