"""A Starlette application from a route table: authenticate, decode, handle, encode; nothing escapes as a bare 500."""

import inspect
import re
import secrets
from collections.abc import Sequence
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.http.authentication import authenticate
from functions.http.errors import error_response
from functions.http.json import LONGEST_BODY, decode_body, decode_query, encode
from functions.http.routes import Answer, Incoming, Route
from shared.domain.errors import DormouseError, InvalidArgument, NotFound
from shared.log import logger
from shared.wiring import App, AppSource

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


UNEXPECTED = DormouseError(
    "Something went wrong on our side. Try again; if it stays, tell us the request id.", "INTERNAL"
)


class MethodNotAllowed(InvalidArgument):
    """Not a route by this method; the path has others."""


def application(routes: Sequence[Route], app_source: AppSource) -> ASGIApp:
    """The ASGI application; `app_source` is asked at the first request, so that nothing opens before the fork."""
    starlette_routes = [
        StarletteRoute(route.path, _endpoint(route, app_source), methods=[route.method]) for route in routes
    ]
    return _Identified(
        Starlette(routes=starlette_routes, exception_handlers={HTTPException: _http_exception})
    )


class _Identified:
    """Gives every call a request id, and every answer the same one."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(requestId=request_id):
            await self._inner(scope, receive, sending)


def _request_id(scope: Scope) -> str:
    """The caller's own where it is harmless, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known: DormouseError = NotFound(
        f"There is no {request.method} {request.url.path[:200]}; see /openapi.json.", "NO_SUCH_ROUTE"
    )
    if error.status_code == 405:
        known = MethodNotAllowed(
            f"{request.method} is not possible here; see /openapi.json.", "METHOD_NOT_ALLOWED"
        )
    return error_response(known, request.state.request_id)


def _endpoint(route: Route, app_source: AppSource) -> Any:
    async def endpoint(request: Request) -> Response:
        try:
            answer = await _handle(route, request, await run_in_threadpool(app_source))
        except DormouseError as error:
            return error_response(error, request.state.request_id)
        except Exception:
            # Caught here: what escapes to Starlette is answered twice under functions-framework.
            logger().exception("unexpected error", path=route.path)
            return error_response(UNEXPECTED, request.state.request_id)
        headers = {"etag": f'"{answer.etag}"'} if answer.etag else {}
        return Response(encode(answer.body), answer.status, headers, "application/json")

    return endpoint


async def _handle(route: Route, request: Request, app: App) -> Answer:
    authorization = request.headers.get("authorization", "")
    caller = await run_in_threadpool(authenticate, route.access, authorization, app)
    raw_body = await _read(request)
    incoming = Incoming(
        app=app,
        method=request.method,
        caller=caller,
        request_id=request.state.request_id,
        path=dict(request.path_params),
        query=decode_query(dict(request.query_params), route.query),
        body=decode_body(raw_body, route.body) if route.body else None,
        raw_body=raw_body,
        if_match=request.headers.get("if-match", ""),
    )
    if inspect.iscoroutinefunction(route.handler):
        answer: Answer = await route.handler(incoming)
        return answer
    return await run_in_threadpool(route.handler, incoming)  # type: ignore[arg-type]


async def _read(request: Request) -> bytes:
    """The body, as long as it is small: files never come this way."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise InvalidArgument(f"The body is larger than {LONGEST_BODY} bytes.", "BODY_TOO_LARGE")
    return bytes(body)
