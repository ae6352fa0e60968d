"""Ports for what tests start: below the kernel's ephemeral range, where no outgoing connection takes one meanwhile."""

import random
import socket

_RANGE = range(12_000, 16_000)


def free_port() -> int:
    """A loopback port that nobody listens on; whoever asks should use it soon."""
    for port in random.sample(_RANGE, len(_RANGE)):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("No port is free.")
