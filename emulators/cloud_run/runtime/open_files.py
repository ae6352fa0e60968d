"""How many files may be open? As many as this user is granted: every service has a socket of its own."""

from __future__ import annotations

import errno
import resource
import socket
from contextlib import suppress

# For requests, for what is written to disk, and for containers.
_SPARE = 100


def raise_limit() -> None:
    """Use all that is granted; what a shell begins with is often 1024."""
    _, granted = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems grant more than they allow; there it stays as it is.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, granted))


def require_spare(opened: socket.socket) -> None:
    """OSError when too few files could be opened after this one: the kernel numbers them from below."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if opened.fileno() >= allowed - _SPARE:
        raise OSError(
            errno.EMFILE,
            f"This emulator may open {allowed} files, and each service needs one, beside {_SPARE} for the rest. "
            "Raise `ulimit -n` (its hard limit), and start it again.",
        )
