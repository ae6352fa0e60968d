"""What does an address name? The workstation, and the very bytes that are authorised and forwarded.

Whatever two readers could read differently is refused, not repaired: dot segments, empty segments, encoded
separators, control characters. So what is looked at here is what the agent will see.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from shared.domain.errors import InvalidArgument, NotFound
from shared.domain.names import WorkstationId

PREFIX = b"/w/"
OWN = b"/-/"
"""The agent's own paths; every other path is the user's program's."""
OPEN = frozenset({b"exec", b"files", b"terminal", b"logs", b"activity", b"health"})
"""Of the agent's paths, those that are the owner's; all others are the control plane's or nobody's."""
PROBES = frozenset({b"/-/health", b"/-/activity", b"/health", b"/healthz"})

_WORKSTATION = re.compile(rb"ws-[a-z2-7]{20}")
_CANONICAL = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/\"<>\[\]^`{|}]|%[0-9A-Fa-f]{2})*")
_VISIBLE = re.compile(rb"[\x21-\x7e]*")
_HIDDEN = frozenset(b"/\\.") | frozenset(range(0x20)) | {0x7F}
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `path` and `query` are the client's own bytes below the workstation's prefix."""

    workstation: WorkstationId
    path: bytes
    query: bytes

    @property
    def raw(self) -> bytes:
        return self.path + b"?" + self.query if self.query else self.path

    @property
    def prefix(self) -> str:
        """The part of the address that the workstation's programs do not see."""
        return f"/w/{self.workstation}"

    @property
    def is_own(self) -> bool:
        """Whether the agent itself answers."""
        return self.path.startswith(OWN)

    def is_probe(self, method: str) -> bool:
        """Whether it only asks how the workstation is: that neither counts as activity nor wakes it."""
        return method in ("GET", "HEAD") and self.path in PROBES


def read_target(raw_path: bytes, query: bytes) -> Target:
    """The target of `/w/{workstation}/{path}`. Raises InvalidArgument, NotFound."""
    name, slash, rest = raw_path.removeprefix(PREFIX).partition(b"/")
    if not _WORKSTATION.fullmatch(name):
        raise NotFound("There is no such workstation.", "WORKSTATION_NOT_FOUND")
    if not slash:
        raise NotFound(f"End the address with a slash: /w/{name.decode()}/", "NO_SUCH_ROUTE")
    path = slash + rest
    if trick := _trick(path) or ("" if _VISIBLE.fullmatch(query) else "an unencoded character in the query"):
        raise InvalidArgument(
            f"The address has {trick}; write it plainly, without `..`, and percent-encode only what needs it.",
            "PATH_NOT_CANONICAL",
        )
    _refuse_control_routes(path)
    return Target(WorkstationId(name.decode()), path, query)


def _trick(path: bytes) -> str:
    """What makes a path ambiguous, in words; empty for a plain one."""
    if not _CANONICAL.fullmatch(path):
        return "a character that cannot stand in a path, or a broken percent-encoding"
    if any(int(pair, 16) in _HIDDEN for pair in _ESCAPE.findall(path)):
        return "an encoded slash, backslash, dot or control character"
    if b"//" in path:
        return "an empty segment (`//`)"
    if any(segment.partition(b";")[0] in (b".", b"..") for segment in path.split(b"/")):
        return "a dot segment"
    decoded = unquote_to_bytes(path)
    if (decoded + b"/").startswith(OWN) and not (path + b"/").startswith(OWN):
        return "an encoded `-`"
    return ""


def _refuse_control_routes(path: bytes) -> None:
    if not (path + b"/").startswith(OWN):
        return
    # Decoded as the agent decodes it, so that both speak of the same route.
    verb = unquote_to_bytes(path[len(OWN) :]).partition(b"/")[0]
    if verb not in OPEN:
        shown = verb.decode("ascii", "replace")[:40]
        raise NotFound(f"There is no /-/{shown}; paths that begin with /-/ are not yours.", "NO_SUCH_ROUTE")
