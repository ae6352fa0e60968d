"""Which objects may be written and read, and which are waited for? Grants come while the work goes on.

A grant is a signed URL of one object: a credential, shown nowhere. It expires; work that outlasts it waits for the next.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from agent.backup.failures import WorkspaceError
from agent.backup.progress import Progress, StoppedError


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission for one object. `headers` are signed with it: each must be sent, and no other `x-goog-` header."""

    name: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class WriteGrant(Grant):
    """To create the object, which must not be there yet."""

    __slots__ = ()


class ReadGrant(Grant):
    """To read the object."""

    __slots__ = ()


G = TypeVar("G", WriteGrant, ReadGrant)


class NoGrantError(WorkspaceError):
    """Nobody brought the grant for an object in time; more grants, and the work can be done again."""

    reason = "NO_GRANT"
    temporary = True


class Grants:
    """What has been granted so far. Who takes what is not there waits: `patience` seconds, None as long as it takes.

    Give the progress of the work that they are for: once that is stopped, or has failed, nobody waits any longer.
    """

    def __init__(self, patience: float | None = None, progress: Progress | None = None) -> None:
        self._patience = patience
        self._changed = threading.Condition()
        self._held: dict[tuple[type[Grant], str], Grant] = {}
        self._awaited: list[tuple[type[Grant], str]] = []
        self._stopped = False
        if progress:
            progress.when_stopped(self.stop)

    def add(self, *grants: WriteGrant | ReadGrant) -> None:
        """Hand in grants; one that is there for the same object already is replaced."""
        with self._changed:
            self._held |= {(type(grant), grant.name): grant for grant in grants}
            self._changed.notify_all()

    def wanted(self, kind: type[G]) -> tuple[str, ...]:
        """Return the names for which somebody waits now."""
        with self._changed:
            return tuple(sorted({name for awaited, name in self._awaited if awaited is kind}))

    def take(self, kind: type[G], name: str) -> G:
        """Return the grant, once it is there; raises NoGrantError, StoppedError."""
        key = (kind, name)
        with self._changed:
            self._awaited.append(key)
            try:
                self._changed.wait_for(lambda: self._stopped or key in self._held, self._patience)
            finally:
                self._awaited.remove(key)
            self._step()
            found = self._held.get(key)
        if not isinstance(found, kind):
            raise NoGrantError(f"there is no grant for {name}")
        return found

    def discard(self, grant: Grant) -> None:
        """Forget a grant that has expired, unless another has come for it."""
        key = (type(grant), grant.name)
        with self._changed:
            if self._held.get(key) is grant:
                del self._held[key]

    def stop(self) -> None:
        """Have everybody who waits, or comes, end with StoppedError."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait between two attempts; raises StoppedError at once when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)
            self._step()

    def _step(self) -> None:
        if self._stopped:
            raise StoppedError
