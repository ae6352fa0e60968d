"""How far has a rewrite come?  Tokens that carry all there is to know, so that they outlive the emulator."""

import json
from base64 import b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.names import is_number

_WEEK = timedelta(weeks=1)
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite under way: from one generation to a name, so many bytes a call."""

    source: str
    destination: str
    size: int
    step: int
    since: str
    """RFC 3339."""
    done: int = 0

    def advanced(self) -> "Rewrite":
        """The rewrite after one more call."""
        return replace(self, done=min(self.size, self.done + self.step))

    @property
    def is_done(self) -> bool:
        """Whether all bytes are there."""
        return self.done == self.size

    @property
    def token(self) -> str:
        """What goes on from here."""
        return urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()


def step_of(asked: str | None, size: int) -> int:
    """How many bytes a call rewrites; raises unless ``maxBytesRewrittenPerCall`` is of whole MiB."""
    if asked is None:
        return max(size, 1)
    if not is_number(asked) or int(asked) % _MEBIBYTE or not int(asked):
        message = f"maxBytesRewrittenPerCall must be a multiple of {_MEBIBYTE}, not {asked!r}."
        raise StorageError(Reason.INVALID, message)
    return int(asked)


def go_on(begun: Rewrite, token: str | None, now: datetime) -> Rewrite:
    """Where a rewrite stands that could begin as given; raises for a token of another one, or an old one."""
    if token is None:
        return begun
    try:
        stored = Rewrite(**json.loads(b64decode(token, b"-_", validate=True)))
        age = now - datetime.fromisoformat(stored.since)
    except (ValueError, TypeError) as error:
        raise StorageError(Reason.INVALID, f"Invalid rewriteToken: {token!r}.") from error
    if replace(stored, since=begun.since, done=begun.done) != begun:
        raise StorageError(Reason.INVALID, "The rewriteToken is of a rewrite with other parameters.")
    if age > _WEEK:
        raise StorageError(Reason.GONE, "The rewriteToken has expired: a rewrite must be done in a week.")
    return stored
