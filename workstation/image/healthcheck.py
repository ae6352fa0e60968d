"""Is the agent well? Asks it as the startup probe does, which counts as nobody's activity; sockets load in no time."""

import os
import socket
import sys

SECONDS = 2
REQUEST = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"


def main() -> int:
    """0 when the agent answers 200 at $PORT, else 1."""
    address = ("127.0.0.1", int(os.environ.get("PORT") or 8080))
    try:
        with socket.create_connection(address, timeout=SECONDS) as connection:
            connection.sendall(REQUEST)
            status = connection.makefile("rb").readline().split()[1:2]
    except OSError as error:
        sys.stderr.write(f"The agent does not answer: {error}\n")
        return 1
    return 0 if status == [b"200"] else 1


if __name__ == "__main__":
    sys.exit(main())
