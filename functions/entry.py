"""What functions-framework calls: each function is a whole ASGI application, built at its first request."""

from functools import cache

from starlette.requests import Request
from starlette.types import ASGIApp

from functions.api.application import build as build_api
from functions.scheduled import cleanup_application, sweep_application


async def api(request: Request) -> ASGIApp:
    return _inner(request, _api())


async def sweep(request: Request) -> ASGIApp:
    return _inner(request, _sweep())


async def cleanup(request: Request) -> ASGIApp:
    return _inner(request, _cleanup())


_api, _sweep, _cleanup = cache(build_api), cache(sweep_application), cache(cleanup_application)


def _inner(request: Request, application: ASGIApp) -> ASGIApp:
    """The framework's catch-all route leaves a `path` behind that handlers would trip over."""
    request.scope["path_params"] = {}
    return application
