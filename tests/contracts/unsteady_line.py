"""A TCP line to a server that can swallow its answers, and break, and be mended."""

import socket
import threading
from contextlib import suppress


class Line:
    """Relays from `address` (host:port) to a server, as long as nothing is done to it."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._broken = False
        self._mute = False
        self.refused = threading.Event()
        """Set once somebody was turned away."""
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow_answers(self) -> None:
        """What the server says from now on gets lost; what it is told still arrives."""
        self._mute = True

    def break_(self) -> None:
        """End every connection, and each new one at once."""
        self._broken = True
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._broken = self._mute = False

    def close(self) -> None:
        self.break_()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._broken:
                    client.close()
                    self.refused.set()
                    continue
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._relay, args=(source, target), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        answers = source.getpeername() == self._server
        with suppress(OSError), source, target:
            while data := source.recv(65_536):
                if not (answers and self._mute):
                    target.sendall(data)
