"""Where is the emulator's state? One JSON file for each resource, replaced atomically and flushed to disk."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    """Documents by kind and id; the last `put` of a document wins, in the order of the calls."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    def load(self, kind: str) -> dict[str, Json]:
        """All documents of a kind, by id."""
        files = sorted((self._root / kind).glob("*.json"))
        return {file.stem: json.loads(file.read_text()) for file in files}

    async def put(self, kind: str, key: str, document: Json) -> None:
        """Write a document; it is on disk when this returns."""
        path = self._path(kind, key)
        text = json.dumps(document, indent=1)
        async with self._locks[path]:
            await asyncio.to_thread(_replace, path, text)

    async def remove(self, kind: str, key: str) -> None:
        """Forget a document; a missing one is fine."""
        path = self._path(kind, key)
        async with self._locks[path]:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        self._locks.pop(path, None)

    def _path(self, kind: str, key: str) -> Path:
        return self._root / kind / f"{key}.json"


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
