"""How does an emulator say no?  With the ``google.rpc.Status`` body of Google's own APIs.

It holds the error and its rendering only; which request deserves which error is each emulator's business.
"""

from enum import Enum

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ExceptionHandler


class Code(Enum):
    """The canonical codes the emulators use, each with its HTTP status."""

    INVALID_ARGUMENT = 400
    UNAUTHENTICATED = 401
    PERMISSION_DENIED = 403
    NOT_FOUND = 404
    ABORTED = 409
    UNIMPLEMENTED = 501


class ApiError(Exception):
    """A refusal that the client is told about."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def status_body(http_status: int, name: str, message: str) -> dict[str, object]:
    """The JSON body of an error, as Google's APIs write it."""
    return {"error": {"code": http_status, "status": name, "message": message, "details": []}}


def refusal(code: Code, message: str) -> JSONResponse:
    """The whole response for an error."""
    return JSONResponse(status_body(code.value, code.name, message), code.value)


async def _on_api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return refusal(error.code, error.message)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = Code.NOT_FOUND if error.status_code == 404 else Code.UNIMPLEMENTED
    return refusal(code, f"This emulator does not answer {request.method} {request.url.path}.")


async def _on_bug(_request: Request, error: Exception) -> JSONResponse:
    # Google's clients retry a 500 for minutes: a bug here would look like a hang there.
    return refusal(Code.UNIMPLEMENTED, f"The emulator failed: {error!r}. Its log has the traceback.")


EXCEPTION_HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    ApiError: _on_api_error,
    HTTPException: _on_http_error,
    Exception: _on_bug,
}
"""What an emulator's Starlette application answers when a handler raises."""
