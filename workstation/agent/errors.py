"""How does the agent say no? One exception and its JSON form; the message is for a person."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "FAILED_PRECONDITION",
    412: "FAILED_PRECONDITION",
    413: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    507: "RESOURCE_EXHAUSTED",
}


class AgentError(Exception):
    """An answer other than success: `code` is the HTTP status, `extra` joins the top level of the body."""

    def __init__(
        self,
        code: int,
        message: str,
        details: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers
        self.extra = extra or {}

    def response(self) -> Response:
        """Return the error as a JSON response."""
        error = {
            "code": self.code,
            "status": STATUS.get(self.code, "INTERNAL"),
            "message": self.message,
            "details": list(self.details),
        }
        return JSONResponse({"error": error, **self.extra}, status_code=self.code, headers=self.headers)


def not_now(message: str, seconds: int = 2, gate: str | None = None) -> AgentError:
    """Return the error that asks the caller to try again after `seconds`; `gate` is the state that keeps users out."""
    headers = {"Retry-After": str(seconds)}
    return AgentError(503, message, headers=headers | ({"Dormouse-Gate": gate} if gate else {}))


async def answer_agent_error(_request: Request, error: Exception) -> Response:
    """Answer an AgentError; Starlette calls it for nothing else."""
    assert isinstance(error, AgentError)
    return error.response()


async def answer_unexpected(_request: Request, _error: Exception) -> Response:
    """Answer a defect of ours without its text, which may hold what is not the caller's."""
    message = "the agent failed to handle this request; its log says why"
    return AgentError(500, message).response()
