"""Where is the emulator's state? One JSON file for each resource, replaced atomically and flushed to disk."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from emulators import durable
from emulators.clock import Clock

Json = dict[str, Any]


class StateInUse(Exception):
    """Another emulator is working on the same directory."""


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep the directory to ourselves; StateInUse when somebody has it. The kernel frees it however we end."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateInUse(f"Another emulator uses {root}; end it, or choose another --state.") from None
        yield


class Store:
    """Documents by kind and id; the last call about a document wins, in the order of the calls.

    A jump of the clock waits for the disk.
    """

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._wanted: dict[Path, str | None] = {}
        self._locks: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    def load(self, kind: str) -> dict[str, Json]:
        """All documents of a kind, by id."""
        files = sorted((self._root / kind).glob("*.json"))
        return {file.stem: json.loads(file.read_text()) for file in files}

    async def put(self, kind: str, key: str, document: Json) -> None:
        """Write a document; it, or a later one in its place, is on disk when this returns."""
        await self._make_so(self._path(kind, key), json.dumps(document))

    async def remove(self, kind: str, key: str) -> None:
        """Forget a document; a missing one is fine."""
        await self._make_so(self._path(kind, key), None)

    async def _make_so(self, path: Path, text: str | None) -> None:
        self._wanted[path] = text
        lock = self._locks.setdefault(path, asyncio.Lock())
        with self._clock.pinned():
            async with lock:
                # Whoever had the lock before may have written this text, or a later one, in place of its own.
                if path in self._wanted:
                    await self._write(path, self._wanted.pop(path))

    async def _write(self, path: Path, text: str | None) -> None:
        try:
            await asyncio.to_thread(_replace, path, text)
        except BaseException:
            # Others wait for this very text: theirs to try again, unless there is a later one.
            self._wanted.setdefault(path, text)
            raise

    def _path(self, kind: str, key: str) -> Path:
        return self._root / kind / f"{key}.json"


def _replace(path: Path, text: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        path.unlink(missing_ok=True)
        durable.sync_directory(path.parent)
    else:
        durable.replace(path, text.encode())
