"""What does code in a container reach of this machine? Doors: addresses at 127.0.0.1 inside that lead to some here.

The listening sockets live in the container's network namespace but belong to us, so nothing has to listen where
other machines, or other containers, could knock.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.cloud_run.runtime.ports import LOOPBACK, listening_socket

_CLONE_NEWNET = 0x40000000
_BACKLOG = 1024
_PIECE = 64 * 1024
_OWN_NETWORK = "/proc/self/ns/net"
Result = TypeVar("Result")


class Doors:
    """The doors of one container; `behind` is the port here by the port inside."""

    def __init__(self, behind: Mapping[int, int]) -> None:
        self._behind = behind
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def ports(self) -> Sequence[int]:
        """As they are found inside."""
        return list(self._behind)

    async def open(self, pid: int) -> None:
        """Listen where the process `pid` has its network. Raises RuntimeFailure."""
        try:
            inside = await asyncio.wrap_future(_in_a_thread(lambda: _listen_beside(pid, self.ports)))
        except OSError as error:
            raise RuntimeFailure(f"The container's doors cannot be opened: {error}") from error
        for bound in inside:
            await self._serve(bound)

    def close(self) -> None:
        """Stop listening and cut what is open: a socket of ours would keep the dead container's network alive."""
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()

    async def _serve(self, bound: socket.socket) -> None:
        port = self._behind[bound.getsockname()[1]]

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = asyncio.current_task()
            if connection is not None:
                self._connections.add(connection)
                connection.add_done_callback(self._connections.discard)
            with suppress(asyncio.CancelledError, OSError):
                await _relay(reader, writer, port)
            writer.transport.abort()

        self._servers.append(await asyncio.start_server(accept, sock=bound, backlog=_BACKLOG))


def why_no_doors() -> str:
    """Why this process may not open doors, or nothing when it may."""
    if sys.platform != "linux":
        return "this is not Linux"
    try:
        _in_a_thread(lambda: _enter(_OWN_NETWORK)).result()
    except OSError as error:
        return f"{error.strerror}; it takes root"
    return ""


def _in_a_thread(work: Callable[[], Result]) -> Future[Result]:
    # A thread that has entered another network stays there, so it must end with its work.
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def _listen_beside(pid: int, ports: Iterable[int]) -> list[socket.socket]:
    network = f"/proc/{pid}/ns/net"
    if os.stat(network).st_ino == os.stat(_OWN_NETWORK).st_ino:
        raise OSError("the container has no network of its own")
    _enter(network)
    opened = []
    try:
        for port in ports:
            opened.append(listening_socket(port))
            # What connects before the event loop accepts waits, and is not refused.
            opened[-1].listen(_BACKLOG)
    except OSError:
        for bound in opened:
            bound.close()
        raise
    return opened


def _enter(network: str) -> None:
    handle = os.open(network, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(handle)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    outer_reader, outer_writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        await asyncio.gather(_one_way(reader, outer_writer), _one_way(outer_reader, writer))
    finally:
        outer_writer.transport.abort()


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()
    await writer.drain()
