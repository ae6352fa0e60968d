"""How do bytes get to disk?  In pieces, in threads, with their checksums, durable before anyone hears of them."""

import asyncio
import os
from base64 import b64encode
from hashlib import md5
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import google_crc32c

from emulators.cloud_storage.records import Content

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

    def __init__(self, directory: Path) -> None:
        self._path = directory / uuid4().hex
        self._file = self._path.open("xb", buffering=0)
        self._pending = bytearray()
        self._crc32c: _Hash = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
        self._md5 = md5(usedforsecurity=False)
        self.persisted = 0

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
        """Persist whole quanta and forget the rest."""
        await self._persist(len(self._pending) // QUANTUM * QUANTUM)
        self._pending.clear()

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
        self._file.close()
        self._path.unlink(missing_ok=True)

    async def _persist(self, count: int) -> None:
        if count:
            data = bytes(self._pending[:count])
            del self._pending[:count]
            await asyncio.to_thread(self._append, data)
            self.persisted += count

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._crc32c.update(data)
        self._md5.update(data)

    def _end(self, data: bytes) -> None:
        self._append(data)
        os.fsync(self._file.fileno())
        self._file.close()
