"""How does Cloud Run refuse? The refusals of its Admin API, in the words of Google's errors."""

from __future__ import annotations

from emulators.errors import ApiError, Code


def invalid(field: str, message: str) -> ApiError:
    """The caller sent something illegal."""
    return ApiError(Code.INVALID_ARGUMENT, message, field)


def not_found(name: str) -> ApiError:
    """There is no such resource."""
    return ApiError(Code.NOT_FOUND, f"Resource '{name}' was not found.")


def already_exists(message: str) -> ApiError:
    """The name is taken."""
    return ApiError(Code.ALREADY_EXISTS, message)


def aborted(message: str) -> ApiError:
    """Somebody else changed the resource first."""
    return ApiError(Code.ABORTED, message)
