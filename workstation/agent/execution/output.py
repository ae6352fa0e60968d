"""What did a command write? Keeps the newest lines in bounded memory for everybody who follows.

A follower who reads keeps the command from running ahead, as a terminal does. One who does not move for ten seconds
is left behind, and is told how many bytes it missed.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

KEPT_BYTES = 512 * 1024
PATIENCE_SECONDS = 10.0


@dataclass(slots=True)
class Follower:
    """How far one reader has come, in lines and in bytes of output."""

    line: int
    offset: int
    left_behind: bool = False


class Output:
    """A log of NDJSON lines that forgets the oldest."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._lines: deque[tuple[bytes, int]] = deque()
        self._first_line = 0
        self._first_offset = 0
        self._held = 0
        self._ended = False
        self._changed = asyncio.Event()
        self._moved = asyncio.Event()
        self._followers: list[Follower] = []

    def append(self, stream: str, text: str, size: int) -> None:
        """Add output of `size` bytes; what comes after the end is dropped."""
        if not self._ended:
            self._add({"stream": stream, "data": text}, size)
            self._forget()

    def end(self, last: dict[str, Any]) -> None:
        """Add the last line."""
        self._add(last, 0)
        self._ended = True

    async def room(self) -> None:
        """Wait while a reader who still reads would miss what comes next."""
        while slow := self._hindered():
            line = slow.line
            self._moved.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._moved.wait()
            except TimeoutError:
                slow.left_behind = slow.line == line

    async def follow(self) -> AsyncIterator[bytes]:
        """Yield everything that is kept, then what comes, up to the last line."""
        follower = Follower(0, 0)
        self._followers.append(follower)
        try:
            while True:
                piece = self._take(follower)
                if piece:
                    yield piece
                elif self._ended:
                    return
                else:
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            self._followers.remove(follower)
            self._moved.set()

    def _add(self, line: dict[str, Any], size: int) -> None:
        encoded = encode_line(line)
        self._lines.append((encoded, size))
        self._held += len(encoded)
        self._changed.set()

    def _forget(self) -> None:
        while self._held > self._kept_bytes and len(self._lines) > 1:
            encoded, size = self._lines.popleft()
            self._held -= len(encoded)
            self._first_line += 1
            self._first_offset += size

    def _take(self, follower: Follower) -> bytes:
        """Return the next line of a follower, after a note about what it missed."""
        missed = b""
        if follower.line < self._first_line:
            missed = encode_line({"droppedBytes": self._first_offset - follower.offset})
            follower.line, follower.offset = self._first_line, self._first_offset
        index = follower.line - self._first_line
        if index >= len(self._lines):
            return missed
        encoded, size = self._lines[index]
        follower.line += 1
        follower.offset += size
        self._moved.set()
        return missed + encoded

    def _hindered(self) -> Follower | None:
        newest = self._first_line + len(self._lines)
        half = self._held > self._kept_bytes // 2
        slow = [follower for follower in self._followers if not follower.left_behind]
        waiting = [follower for follower in slow if newest - follower.line > len(self._lines) // 2]
        return waiting[0] if half and waiting else None


def encode_line(line: dict[str, Any]) -> bytes:
    """Return one line of NDJSON."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
