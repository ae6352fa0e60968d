"""What does a refusal by a Google API mean to us? The one translation from Google's errors to ours.

A refusal or an outage never means "absent"; that is for the caller of a read to say, and only of a 404.
It takes a write whose answer was lost, or failed at the server's end, for one that may have happened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from shared.domain.errors import (
    AlreadyExists,
    DormouseError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutcomeUnknown,
    StaleWrite,
    Unavailable,
)

_STATUS = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}
_ADVICE = {
    401: "check that the process runs as a service account that the API accepts",
    403: "check that the caller's service account has the role it needs, and that the API is enabled",
    429: "a quota is used up; it is refilled by the minute",
}
_MESSAGE_LENGTH = 500


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Translate what a read raises; `what` says in the infinitive what was tried."""
    with _translated(what, lost=Unavailable):
        yield


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Translate what a write raises: OutcomeUnknown where it may have happened all the same."""
    with _translated(what, lost=OutcomeUnknown):
        yield


@contextmanager
def _translated(what: str, lost: type[Unavailable]) -> Iterator[None]:
    # A cold start that needs no Google API must not pay for its client's imports.
    from google.api_core import exceptions as api  # noqa: PLC0415
    from google.auth import exceptions as auth  # noqa: PLC0415

    try:
        yield
    except api.GoogleAPICallError as error:
        raise _refused(what, error, lost) from error
    except auth.GoogleAuthError as error:
        raise _no_token(what) from error
    except (api.RetryError, OSError) as error:
        raise lost(f"Could not {what}: no answer came in time; try again.", reason="NO_ANSWER") from error


def _no_token(what: str) -> Unavailable:
    return Unavailable(
        f"Could not {what}: no access token was given; check the service account of this process.",
        reason="NO_CREDENTIALS",
    )


def _refused(what: str, error: Any, lost: type[Unavailable]) -> DormouseError:
    status = canonical_status(error)
    text = f"Could not {what}: {error.message[:_MESSAGE_LENGTH]}"
    match int(error.code or 500), status:
        case 409, "ALREADY_EXISTS":
            return AlreadyExists(text, reason=status)
        case ((409 | 412), _):
            return StaleWrite(text, reason=status or "ABORTED")
        case 404, _:
            return NotFound(text, reason=status or "NOT_FOUND")
        case 400, "FAILED_PRECONDITION":
            return FailedPrecondition(text, reason=status)
        case (401 | 403 | 429) as code, _:
            return Unavailable(
                f"{text}; {_ADVICE[code]}.", reason=status or _STATUS[code], retry_after=retry_after(error)
            )
        case code, _ if code < 500 and code != 408:
            return InvalidArgument(text, reason=status or "INVALID_ARGUMENT")
    return lost(text, reason=status or "UNAVAILABLE", retry_after=retry_after(error))


def canonical_status(error: Any) -> str:
    """The `google.rpc` name in the error's body, or nothing: over REST both 409s are the same class."""
    try:
        return str(error.response.json()["error"]["status"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def retry_after(error: Any) -> timedelta | None:
    """What the answer's Retry-After header says, when it is a number of seconds."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    text = str(headers.get("Retry-After", ""))
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else None
