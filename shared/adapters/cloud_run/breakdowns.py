"""Why does Cloud Run say that a service does not run? Its condition's reasons and words, read as one of our causes.

A reason names the cause where it can. Several things share HEALTH_CHECK_CONTAINER_ERROR, and some come without a
reason; those are told apart by words that Cloud Run uses. Where neither is known the cause stays general, and its own
message says the rest.
"""

import re
from typing import Any

from shared.domain.breakdown import Breakdown, Cause, last_lines, plain

_CAUSES = {
    "CONTAINER_MISSING": Cause.IMAGE_NOT_FOUND,
    "CONTAINER_PERMISSION_DENIED": Cause.IMAGE_FORBIDDEN,
    "CONTAINER_IMAGE_UNAUTHORIZED": Cause.IMAGE_FORBIDDEN,
    "CONTAINER_IMAGE_AUTHORIZATION_CHECK_FAILED": Cause.IMAGE_FORBIDDEN,
    "PROGRESS_DEADLINE_EXCEEDED": Cause.STARTUP_TIMEOUT,
    "MIN_INSTANCES_NOT_PROVISIONED": Cause.NO_CAPACITY,
    "ENCRYPTION_KEY_PERMISSION_DENIED": Cause.MISCONFIGURED,
    "ENCRYPTION_KEY_CHECK_FAILED": Cause.MISCONFIGURED,
    "SECRETS_ACCESS_CHECK_FAILED": Cause.MISCONFIGURED,
    "VPC_NETWORK_NOT_FOUND": Cause.MISCONFIGURED,
    "ACTIVE_REVISION_LIMIT_REACHED": Cause.MISCONFIGURED,
    "INTERNAL": Cause.PLATFORM_FAILED,
}
_VAGUE = (Cause.IMAGE_NOT_FOUND, Cause.PLATFORM_FAILED)
"""An image that could not be had is called missing whatever the obstacle was."""
_OUT_OF_MEMORY = re.compile(r"out[ -]of[ -]memory|memory limit of", re.IGNORECASE)
_WORDS = (
    (re.compile(r"volume limit of|no space left on device", re.IGNORECASE), Cause.DISK_FULL),
    (re.compile(r"container engine|docker (?:engine|daemon)", re.IGNORECASE), Cause.PLATFORM_FAILED),
    (
        re.compile(r"import failed|failed to (?:pull|fetch)|registry could not be reached", re.IGNORECASE),
        Cause.REGISTRY_UNREACHABLE,
    ),
    (re.compile(r"image '' not found|manifest unknown", re.IGNORECASE), Cause.IMAGE_NOT_FOUND),
    (re.compile(r"startup probe (?:did not succeed|failed)", re.IGNORECASE), Cause.STARTUP_TIMEOUT),
    (re.compile(r"exit code -?\d|exited with|called exit\(", re.IGNORECASE), Cause.EXITED_AT_START),
)
_QUOTED = re.compile(r"'[^']*'")
_LOG = re.compile(r"\s*Last lines of its log:[ \t]*(?:\r?\n|$)")
"""Cloud Run's message has only the log's address; where one brings the log itself, it follows these words."""


def breakdown_of(condition: Any) -> Breakdown | None:
    """What a service's terminal condition says is wrong; None unless it has failed."""
    if name_of(condition.state) != "CONDITION_FAILED":
        return None
    said, *log = _LOG.split(condition.message, maxsplit=1)
    return Breakdown(_cause(condition, said), plain(said), last_lines("".join(log)))


def name_of(value: Any) -> str:
    """An enum's name; a value that is newer than our client library comes as a bare number and has none."""
    return str(getattr(value, "name", ""))


def _cause(condition: Any, said: str) -> Cause:
    if _OUT_OF_MEMORY.search(said):
        return Cause.OUT_OF_MEMORY
    names = (name_of(condition.reason), name_of(condition.revision_reason))
    by_reason = next((_CAUSES[name] for name in names if name in _CAUSES), None)
    # What is quoted is a name, which somebody else has chosen.
    unquoted = _QUOTED.sub("''", said)
    by_words = next((cause for words, cause in _WORDS if words.search(unquoted)), None)
    if by_reason in _VAGUE and by_words in (Cause.REGISTRY_UNREACHABLE, Cause.PLATFORM_FAILED):
        return by_words
    return by_reason or by_words or Cause.START_FAILED
