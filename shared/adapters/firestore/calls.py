"""How does one call to Firestore end: with an answer, or with one of the domain's errors, within seconds?

The client's defaults wait for minutes. A read is repeated whole for a few seconds; a write is sent once, because
nobody can tell whether a second one meets the work of the first.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError

from shared.domain.errors import OutcomeUnknown, StaleWrite, Unavailable

T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds for one attempt."""

_PATIENCE = 5.0
"""Seconds in which a read may begin another attempt."""

_PASSING = if_exception_type(
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.Aborted,
    exceptions.InternalServerError,
)
_repeating = Retry(predicate=_PASSING, initial=0.05, maximum=1.0, multiplier=2.0, timeout=_PATIENCE)

ONCE = Retry(predicate=lambda _error: False)
"""No retry inside the client: a stream resumed halfway needs fields that a projection leaves out. (None fails.)"""

_CONFLICTS = (exceptions.Conflict, exceptions.FailedPrecondition, exceptions.NotFound)
_LOST = (exceptions.ServerError, exceptions.Cancelled, exceptions.RetryError, ConnectionError)
_FAILURES = (exceptions.GoogleAPIError, GoogleAuthError, ConnectionError)
_RETRY_AFTER = timedelta(seconds=1)


def read(attempt: Callable[[], T]) -> T:
    """What `attempt` returns, tried for a few seconds. Raises Unavailable."""
    try:
        answer: T = _repeating(attempt)()
    except (*_LOST, *_CONFLICTS) as failure:
        raise Unavailable(
            "The database does not answer. Try again in a moment.",
            "DATABASE_UNAVAILABLE",
            retry_after=_RETRY_AFTER,
        ) from failure
    except _FAILURES as failure:
        raise _refused("The database refused to be read") from failure
    return answer


def commit(writes: Any) -> None:
    """Send a batch once. Raises StaleWrite, OutcomeUnknown, and Unavailable where nothing was written."""
    try:
        writes.commit(retry=None, timeout=TIMEOUT)
    except _CONFLICTS as failure:
        raise StaleWrite("The record changed since it was read; read it again.", "STALE_WRITE") from failure
    except _LOST as failure:
        raise OutcomeUnknown(
            "The database's answer was lost, so the change may have been made; look before trying again.",
            reason="DATABASE_ANSWER_LOST",
            retry_after=_RETRY_AFTER,
        ) from failure
    except _FAILURES as failure:
        raise _refused("The database refused the change; nothing was written") from failure


def _refused(what: str) -> Unavailable:
    """Wrong rights, a used-up quota or too large a document: the log has the cause, which is this error's."""
    return Unavailable(f"{what}. Try again later.", "DATABASE_REFUSED", retry_after=_RETRY_AFTER)
