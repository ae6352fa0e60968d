"""The smallest container: answers every request on $PORT with an empty 200. Run as `python -I -S`, by path or text."""

import os
import socket

listener = socket.create_server(("0.0.0.0", int(os.environ["PORT"])), backlog=128)  # noqa: S104 - in a container
while True:
    connection, _ = listener.accept()
    with connection:
        if connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
