"""How does the Admin API answer? JSON in one write, and errors as `google.rpc.Status`."""

from __future__ import annotations

import json
import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_run.model.errors import ApiError
from emulators.cloud_run.model.messages import Json

_LOG = logging.getLogger("emulators.cloud_run")
_STATUS = {404: "NOT_FOUND", 405: "UNIMPLEMENTED"}


def answer(document: Json, code: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(document), code, media_type="application/json")


async def refused(_: Request, error: Exception) -> Response:
    """The answer to a call that the API refused."""
    if isinstance(error, ApiError):
        return answer(error.body(), error.code)
    raise error


async def unrouted(request: Request, error: Exception) -> Response:
    """The answer to a method or path that does not exist here."""
    code = error.status_code if isinstance(error, HTTPException) else 404
    message = f"{request.method} {request.url.path} is not a method of this emulator."
    return answer(ApiError(code, _STATUS.get(code, "UNKNOWN"), message).body(), code)


async def failed(request: Request, error: Exception) -> Response:
    """The answer when the emulator itself is wrong; the log has the traceback."""
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(ApiError(500, "INTERNAL", f"The emulator failed: {error!r}.").body(), 500)
