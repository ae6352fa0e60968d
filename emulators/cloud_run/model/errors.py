"""How does a refusal look? One exception that carries a `google.rpc.Status`."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refused call: HTTP code, canonical status, a message for a person, and the offending field."""

    def __init__(self, code: int, status: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.field = field

    def body(self) -> dict[str, Any]:
        """The JSON error body of Google's REST APIs."""
        details = []
        if self.field:
            violation = {"field": self.field, "description": self.message}
            details.append(
                {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
            )
        return {
            "error": {
                "code": self.code,
                "status": self.status,
                "message": self.message,
                "details": details,
            }
        }


def invalid(field: str, message: str) -> ApiError:
    """The caller sent something illegal."""
    return ApiError(400, "INVALID_ARGUMENT", message, field)


def not_found(name: str) -> ApiError:
    """There is no such resource."""
    return ApiError(404, "NOT_FOUND", f"Resource '{name}' was not found.")


def already_exists(message: str) -> ApiError:
    """The name is taken."""
    return ApiError(409, "ALREADY_EXISTS", message)


def aborted(message: str) -> ApiError:
    """Somebody else changed the resource first."""
    return ApiError(409, "ABORTED", message)


def unimplemented(field: str, message: str) -> ApiError:
    """Cloud Run has it, this emulator does not."""
    return ApiError(501, "UNIMPLEMENTED", message, field)
