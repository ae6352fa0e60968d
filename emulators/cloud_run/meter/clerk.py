"""Who computes a bill? A process of its own: a million facts neither keep the emulator waiting nor hinder its end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

from emulators.cloud_run.meter.statement import Question

_PIECE = 256 * 1024


class NoBill(Exception):
    """The bill could not be computed; the emulator's own standard error has why."""


class Clerk:
    """Makes the bills of a file of facts at the prices of a region."""

    def __init__(self, facts: Path, region: str) -> None:
        self._facts = facts
        self._region = region

    async def write(self, asked: Question) -> AsyncIterator[bytes]:
        """The bill as JSON, piece by piece; who stops listening ends the work. Raises NoBill before the first."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "emulators.cloud_run.meter", *self._words(asked)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            limit=_PIECE,
        )
        try:
            if process.stdout is None:
                raise RuntimeError("The clerk was started without a pipe.")
            while piece := await process.stdout.read(_PIECE):
                yield piece
            if await process.wait() != 0:
                raise NoBill(f"The process that computes bills ended with {process.returncode}.")
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _words(self, asked: Question) -> Sequence[str]:
        words = [str(self._facts), f"--region={self._region}", f"--now={asked.now}"]
        words += [f"--from={asked.window[0]}", f"--to={asked.window[1]}"]
        words += [] if asked.service is None else [f"--service={asked.service}"]
        return words + (["--free-tier"] if asked.free_tier else [])


async def begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, once the first of them is there: until then it can be told that there will be none."""
    first = await anext(pieces)

    async def all_of_them() -> AsyncIterator[bytes]:
        async with aclosing(pieces):  # type: ignore[type-var]
            yield first
            async for piece in pieces:
                yield piece

    return all_of_them()
