"""Which port is free? Below the kernel's ephemeral range, so that an outgoing connection never takes it."""

from __future__ import annotations

import errno
import random
import socket

LOOPBACK = "127.0.0.1"
_RANGE = range(20000, 32768)
_ATTEMPTS = 200


def listening_socket(port: int) -> socket.socket:
    """A bound socket on a given port; OSError when it is taken."""
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted; without it Nagle costs 40 ms a response.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def free_listening_socket() -> socket.socket:
    """A bound socket on a port that nobody uses; OSError, whose `strerror` says why, when there is none."""
    for port in random.sample(_RANGE, _ATTEMPTS):
        try:
            return listening_socket(port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(
        errno.EADDRNOTAVAIL,
        f"None of {_ATTEMPTS} ports tried between {_RANGE.start} and {_RANGE.stop} is free.",
    )


def free_port() -> int:
    """A port that nobody uses now; whoever asks should use it soon."""
    with free_listening_socket() as bound:
        port: int = bound.getsockname()[1]
        return port
