"""What is one terminal? A shell on a pseudo-terminal of its own, and the last it has shown."""

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Mapping

from agent.execution.children import Child, Children, Streams
from agent.relay.connections import Connections
from agent.terminal.ring import ByteRing

KEPT_BYTES = 256 * 1024
CHUNK = 64 * 1024
TAKEN_OVER = 4001
# A session leader without a controlling terminal gets the first one that it opens (Linux), so the shell's own
# process opens it; nothing of ours has to run between fork and exec.
OPEN_AND_BECOME_SHELL = 'exec <>"$1" >&0 2>&0; exec "$0"'


class Terminal:
    """A shell with its pseudo-terminal; at most one client is attached, the latest."""

    def __init__(self, identifier: str) -> None:
        self.id = identifier
        self.ring = ByteRing(KEPT_BYTES)
        self.clients = Connections(TAKEN_OVER, "another client attached to this terminal")
        self.exit_code: int | None = None
        self._changed = asyncio.Event()
        self._child: Child | None = None
        # Our own hold on the far end keeps the terminal open until the shell has it, and what it showed readable.
        self._master, self._slave = os.openpty()
        os.set_blocking(self._master, False)

    async def start(self, children: Children, shell: str, cwd: str, environment: Mapping[str, str]) -> None:
        """Start the shell; raises OSError."""
        name = os.ttyname(self._slave)
        command = ("/bin/sh", "-c", OPEN_AND_BECOME_SHELL, shell, name)
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            streams = Streams(nothing, nothing, nothing)
            variables = {**environment, "TERM": "xterm-256color", "SHELL": shell}
            self._child = await children.spawn(command, cwd, variables, streams)
        except OSError:
            self._close()
            raise
        finally:
            os.close(nothing)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        self._child.exited.add_done_callback(self._exited)

    def resize(self, columns: int, rows: int) -> None:
        """Tell the programs in the terminal how large it is."""
        if self.exit_code is None:
            fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def write(self, data: bytes) -> None:
        """Type bytes; waits while the program in the terminal does not read."""
        while data and self.exit_code is None:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                await self._writable()

    async def changed(self) -> None:
        """Wait for output or the end."""
        self._changed.clear()
        await self._changed.wait()

    def end(self) -> None:
        """Hang up, as closing a terminal window does."""
        if self._child is not None and self.exit_code is None:
            self._child.signal_group(signal.SIGHUP)

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._master, ready.set)
        try:
            async with asyncio.timeout(1):
                await ready.wait()
        except TimeoutError:
            return  # the shell may have ended meanwhile; the caller looks again
        finally:
            if self.exit_code is None:
                loop.remove_writer(self._master)

    def _read(self) -> bool:
        with contextlib.suppress(OSError):
            data = os.read(self._master, CHUNK)
            self.ring.append(data)
            self._changed.set()
            return bool(data)
        return False

    def _exited(self, exited: "asyncio.Future[int]") -> None:
        # What the shell's last words were is bounded by the terminal's own buffer, unless somebody else writes on.
        for _ in range(KEPT_BYTES // CHUNK):
            if not self._read():
                break
        self.exit_code = exited.result()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        self._close()
        self._changed.set()

    def _close(self) -> None:
        os.close(self._master)
        os.close(self._slave)
