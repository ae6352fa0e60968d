"""google.rpc.Status answers: the one place where an error becomes an HTTP status.

Every error has a reason for machines, a sentence for people, what to do next, and the request id; bad input names
every bad field; what passes with time says when.
"""

from typing import Any

from starlette.responses import Response

from functions.http.json import encode
from shared.domain.errors import Broken, CapReached, DormouseError, InvalidArgument

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
DOMAIN = "dormouse"


def error_response(error: DormouseError, request_id: str) -> Response:
    status = HTTP_STATUS[error.code]
    headers = {"retry-after": str(_seconds(error))} if _retriable(error) else {}
    if error.code == "UNAUTHENTICATED":
        headers["www-authenticate"] = "Bearer"
    return Response(encode({"error": status_of(error, request_id)}), status, headers, "application/json")


def status_of(error: DormouseError, request_id: str) -> dict[str, Any]:
    """The body of google.rpc.Status."""
    details: list[dict[str, Any]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.reason or error.code,
            "domain": DOMAIN,
            "metadata": dict(error.metadata),
        },
        {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": request_id},
    ]
    if isinstance(error, InvalidArgument) and error.violations:
        violations = [{"field": bad.field, "description": bad.description} for bad in error.violations]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    if isinstance(error, CapReached):
        violation = {"subject": "user", "description": error.message}
        details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]})
    if isinstance(error, Broken):
        advice = {"locale": "en", "message": error.help}
        details.append({"@type": "type.googleapis.com/google.rpc.LocalizedMessage", **advice})
        details.append({"@type": "type.googleapis.com/google.rpc.DebugInfo", "stackEntries": list(error.log)})
    if _retriable(error):
        delay = f"{_seconds(error)}s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return {
        "code": HTTP_STATUS[error.code],
        "status": error.code,
        "message": error.message,
        "details": details,
    }


def _retriable(error: DormouseError) -> bool:
    return error.retry_after is not None or error.code == "UNAVAILABLE"


def _seconds(error: DormouseError) -> int:
    """At least one: zero would invite a storm."""
    return max(1, round(error.retry_after.total_seconds())) if error.retry_after else 2
