"""How do bytes get to disk?  In pieces, in threads, with their checksums, durable before anyone hears of them."""

import asyncio
import os
from base64 import b64encode
from hashlib import md5
from pathlib import Path
from typing import BinaryIO, Protocol, Self
from uuid import uuid4

import google_crc32c

from emulators.cloud_storage.kept.records import Content

QUANTUM = 256 * 1024
"""Resumable uploads persist multiples of this; what a broken request brought beyond is sent again."""
_PIECE = 4 * QUANTUM


class _Hash(Protocol):
    def update(self, data: bytes) -> None: ...

    def digest(self) -> bytes: ...


class ContentWriter:
    """One content in the making: a file that nothing refers to yet.

    It buffers up to a piece, so memory stays bounded however large the content is.
    """

    def __init__(self, directory: Path, name: str | None = None) -> None:
        self._path = directory / (name or uuid4().hex)
        self._file: BinaryIO | None = self._path.open("ab", buffering=0)
        self._pending = bytearray()
        self._crc32c: _Hash = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
        self._md5 = md5(usedforsecurity=False)
        self.persisted = 0

    @classmethod
    def resume(cls, directory: Path, name: str) -> Self:
        """A writer that goes on where another process ended; blocks while it reads what is there."""
        writer = cls(directory, name)
        size = writer._path.stat().st_size // QUANTUM * QUANTUM
        os.truncate(writer._path, size)
        with writer._path.open("rb") as file:
            while data := file.read(_PIECE):
                writer._hash(data)
        writer.persisted = size
        return writer

    @property
    def received(self) -> int:
        """How many bytes were written, buffered ones included."""
        return self.persisted + len(self._pending)

    async def write(self, data: bytes) -> None:
        """Append."""
        self._pending += data
        if len(self._pending) >= _PIECE:
            await self._persist(len(self._pending) // QUANTUM * QUANTUM)

    async def pause(self) -> None:
        """Make whole quanta durable, forget the rest and hold no file open."""
        await self._persist(len(self._pending) // QUANTUM * QUANTUM)
        self._pending.clear()
        await asyncio.to_thread(self._sync)

    async def finish(self, *, composed: bool = False) -> Content:
        """Make everything durable; the content is complete."""
        data = bytes(self._pending)
        self._pending.clear()
        await asyncio.to_thread(self._end, data)
        self.persisted += len(data)
        return Content(
            file=self._path.name,
            size=self.persisted,
            crc32c=b64encode(self._crc32c.digest()).decode(),
            md5=None if composed else b64encode(self._md5.digest()).decode(),
        )

    def discard(self) -> None:
        """Remove the file."""
        self._close()
        self._path.unlink(missing_ok=True)

    async def _persist(self, count: int) -> None:
        if count:
            data = bytes(self._pending[:count])
            del self._pending[:count]
            await asyncio.to_thread(self._append, data)
            self.persisted += count

    def _append(self, data: bytes) -> None:
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._hash(data)

    def _hash(self, data: bytes) -> None:
        self._crc32c.update(data)
        self._md5.update(data)

    def _end(self, data: bytes) -> None:
        self._append(data)
        self._sync()

    def _sync(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
