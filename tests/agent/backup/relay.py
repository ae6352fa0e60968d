"""A TCP line to a server on which the first connection's bytes can be changed, or end."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Change = Callable[[int, bytes], bytes | None]
"""From how many bytes have passed, and the next ones, to what arrives; None cuts the line."""


class Relay:
    """Relays to a server; what the first client sends passes through `change`."""

    def __init__(self, server: str, change: Change) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._changes = [change]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                change = self._changes.pop() if self._changes else _unchanged
                for source, target, how in ((client, server, change), (server, client, _unchanged)):
                    threading.Thread(target=_relay, args=(source, target, how), daemon=True).start()


def _unchanged(_passed: int, data: bytes) -> bytes:
    return data


def _relay(source: socket.socket, target: socket.socket, change: Change) -> None:
    passed = 0
    with suppress(OSError):
        while data := source.recv(65_536):
            arrives = change(passed, data)
            if arrives is None:
                break
            target.sendall(arrives)
            passed += len(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
