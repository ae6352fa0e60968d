"""What becomes of one command? It runs in a process group of its own until it ends, is timed out or is asked to end.

Its client may come and go. When the command itself has exited but something it left in the background holds its
output open, the execution is over; what that writes later is read and dropped, so that it does not die of a closed pipe.
"""

import asyncio
import codecs
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

from agent import clock
from agent.execution.children import Child, Children, Streams
from agent.execution.command import Command
from agent.execution.output import Output

CHUNK = 32 * 1024
LOOK_SECONDS = 0.1
# What the pipes and our buffers can hold at the moment of the exit; more was written by somebody else.
LATE_BYTES = 256 * 1024
GRACE_SECONDS = 2.0


class Pump:
    """Moves one stream of the command into its output."""

    def __init__(self, stream: str, output: Output) -> None:
        self.moved = 0
        self.waiting = True
        self._stream = stream
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    async def run(self, descriptor: int) -> None:
        """Read to the end of the stream; the descriptor is closed."""
        reader = asyncio.StreamReader(limit=CHUNK)
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            while data := await reader.read(CHUNK):
                await self._take(data)
            self._write(self._decoder.decode(b"", final=True), 0)
        finally:
            transport.close()

    async def _take(self, data: bytes) -> None:
        self.waiting = False
        self.moved += len(data)
        self._write(self._decoder.decode(data), len(data))
        await self._output.room()
        self.waiting = True

    def _write(self, text: str, size: int) -> None:
        if text:
            self._output.append(self._stream, text, size)


class Execution:
    """One command, running or ended."""

    def __init__(self, command: Command, thawed: Callable[[], float]) -> None:
        self.id = secrets.token_hex(8)
        self.command = command
        self.started = clock.now()
        self.ended: datetime | None = None
        self.exit_code: int | None = None
        self.child: Child | None = None
        self._thawed = thawed
        self._timed_out = False
        self._output = Output()
        self._reads: tuple[int, int] | None = None

    async def start(self, children: Children) -> None:
        """Start the process; raises OSError."""
        stdin = os.pipe()
        stdout, stderr = os.pipe(), os.pipe()
        streams = Streams(stdin[0], stdout[1], stderr[1])
        try:
            self.child = await children.spawn(
                self.command.arguments, self.command.cwd, self.command.environment, streams
            )
        except BaseException:
            for descriptor in (stdin[1], stdout[0], stderr[0]):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (stdin[0], stdout[1], stderr[1]):
                os.close(descriptor)
        await self._feed(stdin[1])
        self._reads = (stdout[0], stderr[0])

    async def run(self) -> None:
        """Move the output until the command has ended and its output is complete."""
        assert self.child is not None
        assert self._reads is not None
        pumps = (Pump("stdout", self._output), Pump("stderr", self._output))
        tasks = {
            asyncio.create_task(pump.run(descriptor))
            for pump, descriptor in zip(pumps, self._reads, strict=True)
        }
        await self._exit_or_timeout(self.child)
        await _settled(tasks, pumps)
        self.exit_code = self.child.exited.result()
        self.ended = clock.now()
        self._output.end(self._last_line(self.ended))
        await asyncio.wait(tasks)

    def end(self) -> None:
        """Ask the command and its group to end."""
        if self.child is not None and self.ended is None:
            self.child.signal_group(signal.SIGTERM)

    def follow(self) -> AsyncIterator[bytes]:
        """Yield the lines of output that are kept, and those to come."""
        return self._output.follow()

    def describe(self) -> dict[str, Any]:
        """Return the JSON form for a list."""
        return {
            "id": self.id,
            "command": list(self.command.arguments),
            "pid": self.child and self.child.pid,
            "running": self.ended is None,
            "exitCode": self.exit_code,
            "startTime": clock.timestamp(self.started),
            "endTime": None if self.ended is None else clock.timestamp(self.ended),
        }

    async def _feed(self, descriptor: int) -> None:
        pipe = os.fdopen(descriptor, "wb", buffering=0)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_write_pipe(asyncio.Protocol, pipe)
        if self.command.stdin:
            transport.write(self.command.stdin)
        transport.write_eof()

    async def _exit_or_timeout(self, child: Child) -> None:
        deadline = None if self.command.timeout is None else self._thawed() + self.command.timeout
        while not child.exited.done():
            left = None if deadline is None else deadline - self._thawed()
            if left is not None and left <= 0:
                await self._kill(child)
                return
            # A freeze does not count, so the time that is left is looked at again every second.
            pause = None if left is None else min(left, clock.TICK_SECONDS)
            await asyncio.wait({child.exited}, timeout=pause)

    async def _kill(self, child: Child) -> None:
        self._timed_out = True
        child.signal_group(signal.SIGTERM)
        await asyncio.wait({child.exited}, timeout=GRACE_SECONDS)
        child.signal_group(signal.SIGKILL)
        await asyncio.wait({child.exited})

    def _last_line(self, ended: datetime) -> dict[str, Any]:
        line = {"exitCode": self.exit_code, "durationSeconds": (ended - self.started).total_seconds()}
        return line | ({"timedOut": True} if self._timed_out else {})


async def _settled(tasks: "set[asyncio.Task[None]]", pumps: tuple[Pump, ...]) -> None:
    """Wait until the streams have ended, or nothing more comes that the command itself can have written."""
    at_exit = sum(pump.moved for pump in pumps)
    seen = -1
    while any(not task.done() for task in tasks):
        moved = sum(pump.moved for pump in pumps)
        quiet = moved == seen and all(pump.waiting for pump in pumps)
        if quiet or moved - at_exit > LATE_BYTES:
            return
        seen = moved
        await asyncio.wait(tasks, timeout=LOOK_SECONDS)
