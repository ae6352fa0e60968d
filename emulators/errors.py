"""How does an emulator say no?  With the ``google.rpc.Status`` of Google's own APIs, over REST and gRPC alike.

It holds the error and its rendering only; which request deserves which error is each emulator's business.
"""

from enum import Enum
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler


class Code(Enum):
    """The canonical codes, each with its number and its HTTP status, as google/rpc/code.proto pairs them."""

    INVALID_ARGUMENT = 3, 400
    DEADLINE_EXCEEDED = 4, 504
    NOT_FOUND = 5, 404
    ALREADY_EXISTS = 6, 409
    PERMISSION_DENIED = 7, 403
    RESOURCE_EXHAUSTED = 8, 429
    FAILED_PRECONDITION = 9, 400
    ABORTED = 10, 409
    OUT_OF_RANGE = 11, 400
    UNIMPLEMENTED = 12, 501
    INTERNAL = 13, 500
    UNAVAILABLE = 14, 503
    UNAUTHENTICATED = 16, 401

    @property
    def number(self) -> int:
        """The code in a `google.rpc.Status`, which is gRPC's."""
        return int(self.value[0])

    @property
    def http(self) -> int:
        """The status of an HTTP answer."""
        return int(self.value[1])


class ApiError(Exception):
    """A refusal that the client is told about.

    `field` is the snake_case path of what was wrong in the request; `details` are further messages in their JSON form,
    each with its `@type`.
    """

    def __init__(self, code: Code, message: str, field: str = "", details: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self._details = details

    @property
    def details(self) -> list[dict[str, Any]]:
        """What else there is to know, as JSON."""
        if not self.field:
            return list(self._details)
        violation = {"field": self.field, "description": self.message}
        bad_request = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
        return [bad_request, *self._details]

    def response(self) -> JSONResponse:
        """The HTTP answer."""
        body = status_body(self.code.http, self.code.name, self.message, self.details)
        return JSONResponse(body, self.code.http)


def status_body(
    http_status: int, name: str, message: str, details: list[dict[str, Any]] | None = None
) -> dict[str, object]:
    """The JSON body of an error, as Google's APIs write it."""
    return {"error": {"code": http_status, "status": name, "message": message, "details": details or []}}


def refusal(code: Code, message: str) -> JSONResponse:
    """The whole response for an error."""
    return ApiError(code, message).response()


async def _on_api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return error.response()


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    # Google finds a method by verb and path together, so a path with another verb names nothing either.
    code = Code.NOT_FOUND if error.status_code in (404, 405) else Code.UNIMPLEMENTED
    return refusal(code, f"This emulator does not answer {request.method} {request.url.path}.")


async def _on_leaving(_request: Request, _error: Exception) -> Response:
    """Nobody reads this: the client has gone in the middle of its request."""
    return Response(status_code=499)


async def _on_bug(_request: Request, error: Exception) -> JSONResponse:
    # Google's clients retry a 500 for minutes: a bug here would look like a hang there.
    return refusal(Code.UNIMPLEMENTED, f"The emulator failed: {error!r}. Its log has the traceback.")


EXCEPTION_HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    ApiError: _on_api_error,
    HTTPException: _on_http_error,
    ClientDisconnect: _on_leaving,
    Exception: _on_bug,
}
"""What an emulator's Starlette application answers when a handler raises."""
