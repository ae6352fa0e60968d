"""What is in the workspace, and does it differ from what was saved? One save or load at a time, off the event loop.

The scan that answers costs time in proportion to the files, so it is repeated only after ten times as long as it took.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent import clock
from agent.threads import in_thread
from agent.workspace.grants import Backup, Grant
from agent.workspace.signature import Signature, read_signature

if TYPE_CHECKING:
    from agent.workspace.load import Loaded
    from agent.workspace.save import Saved

SHORTEST_PAUSE = 0.25
PAUSE_PER_SCAN = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a save brought."""

    saved: "Saved"
    unchanged: bool


class Workspace:
    """The user's files on this instance."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = asyncio.Lock()
        self._saved: Saved | None = None
        self._clean = Signature(b"", 0, 0)
        self._seen: Signature | None = None
        self._next_scan = 0.0

    async def begin(self) -> None:
        """Take what is there as the clean beginning: there is no backup yet; raises OSError."""
        await in_thread(self.root.mkdir, parents=True, exist_ok=True)
        self._clean = await self._scan()

    async def dirty(self, *, fresh: bool = False) -> bool:
        """Tell whether something changed since the last save or load; a moment old unless `fresh`."""
        if fresh or self._seen is None or clock.monotonic() >= self._next_scan:
            await self._scan()
        return self._seen is not None and self._seen.digest != self._clean.digest

    async def save(self, grant: Grant, known: str | None) -> Outcome:
        """Save, unless the workspace is still what the backup with the sha256 `known` holds.

        What we saved last is not enough: it may have arrived damaged, and then only the control plane knows.
        """
        # Loaded here because a cold start must answer health checks before it has to save anything.
        from agent.workspace.save import save  # noqa: PLC0415

        async with self._lock:
            saved = self._saved
            if saved is not None and saved.sha256 == known and not await self.dirty(fresh=True):
                return Outcome(saved, unchanged=True)
            saved = await in_thread(save, self.root, grant)
            self._remember(saved)
            return Outcome(saved, unchanged=False)

    async def load(self, backup: Backup) -> "Loaded":
        """Load a backup into an empty workspace; raises what `load.load` raises."""
        from agent.workspace.load import load  # noqa: PLC0415

        async with self._lock:
            loaded = await in_thread(load, self.root, backup)
            self._remember(loaded.saved)
            return loaded

    def usage(self) -> dict[str, int | None]:
        """Return the used bytes and the limit, cheap enough for a health check; null when they are not known."""
        seen = None if self._seen is None else self._seen.total_bytes
        try:
            if not os.path.ismount(self.root):  # a plain directory has no limit of its own
                return {"usedBytes": seen, "limitBytes": None}
            volume = os.statvfs(self.root)
        except OSError:
            return {"usedBytes": None, "limitBytes": None}
        used = (volume.f_blocks - volume.f_bfree) * volume.f_frsize
        return {"usedBytes": used, "limitBytes": volume.f_blocks * volume.f_frsize}

    def _remember(self, saved: "Saved") -> None:
        self._saved = saved
        self._clean = saved.signature
        self._next_scan = 0.0

    async def _scan(self) -> Signature:
        begun = clock.monotonic()
        self._seen = await in_thread(read_signature, self.root)
        ended = clock.monotonic()
        self._next_scan = ended + max(SHORTEST_PAUSE, PAUSE_PER_SCAN * (ended - begun))
        return self._seen
