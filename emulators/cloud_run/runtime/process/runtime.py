"""The runtime of plain processes: what stands for images, where workspaces are, who watches the limits."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from emulators.cloud_run.runtime.contract import Launch, RuntimeFailure
from emulators.cloud_run.runtime.process.container import ProcessContainer, can_mount, start
from emulators.cloud_run.runtime.process.leftovers import kill_leftovers
from emulators.cloud_run.runtime.process.watcher import watch


class ProcessRuntime:
    """Runs an image as the command that stands for it."""

    def __init__(
        self, state: Path, images: Mapping[str, tuple[str, ...]], *, workspace_bound: str, why: str
    ) -> None:
        self._state = state
        self._images = images
        self._workspace_bound = workspace_bound
        self._why = why
        self._tmpfs = False
        self._containers: weakref.WeakSet[ProcessContainer] = weakref.WeakSet()
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Find out how workspaces can be bounded, and begin to watch."""
        self._tmpfs = self._workspace_bound == "auto" and await can_mount(self._state / "probe")
        self._watching = asyncio.create_task(watch(lambda: list(self._containers), tmpfs=self._tmpfs))

    async def clean(self) -> int:
        """Kill the trees that are on record in the state directory."""
        return await asyncio.to_thread(kill_leftovers, self._state / "instances")

    async def close(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    async def has(self, image: str) -> bool:
        """Whether a command stands for it."""
        return image in self._images

    async def fetch(self, image: str) -> str:
        """There is nowhere to get one from."""
        return f"Image '{image}' not found: it is none of the images that the emulator was started with."

    async def launch(self, launch: Launch) -> ProcessContainer:
        """Start the tree of one instance."""
        revision = launch.revision
        command = (*(revision.command or self._images[revision.image]), *revision.args)
        try:
            container = await start(launch, command, tmpfs=self._tmpfs)
        except OSError as error:
            raise RuntimeFailure(str(error)) from error
        self._containers.add(container)
        return container

    def describe(self) -> dict[str, Any]:
        """Which bounds hold."""
        bound = "tmpfs" if self._tmpfs else "soft"
        bounds = {
            "workspaceBound": bound,
            "memoryBound": "watcher",
            "cpuBound": "none",
            "networkBound": "none",
        }
        return {"runtime": "process", "why": self._why, **bounds}
