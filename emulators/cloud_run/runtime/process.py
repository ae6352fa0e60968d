"""How does a container run without a container engine? As a process tree below a launcher of ours."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from emulators.cloud_run.runtime import tree
from emulators.cloud_run.runtime.leftovers import RECORD, write_record
from emulators.cloud_run.runtime.logs import prune

_LAUNCHER = Path(__file__).with_name("launcher.py")
# The launcher ends by itself once its command is dead; this long is enough on any machine.
_LAUNCHER_PATIENCE_SECONDS = 5.0
_GRAB_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of bounded size."""

    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Launch:
    """All that an instance needs to run."""

    command: tuple[str, ...]
    env: dict[str, str]
    directory: Path
    home: Path
    mounts: tuple[Mount, ...]
    memory_bytes: int
    log: Path


class ContainerProcess:
    """A running instance: the command, and everything that it started."""

    def __init__(self, launcher: asyncio.subprocess.Process, pid: int, directory: Path) -> None:
        self._launcher = launcher
        self._directory = directory
        self._stopped: list[int] = []
        self.pid = pid

    @property
    def launcher_pid(self) -> int:
        """The root of the tree; not part of the container."""
        return self._launcher.pid

    async def wait(self) -> int:
        """The exit code, when the command has ended and everything that it left is dead."""
        return await self._launcher.wait()

    def freeze(self) -> None:
        """Take the CPU away from the whole tree."""
        self._stopped = tree.stop(self._launcher.pid)

    def thaw(self) -> None:
        """Give the CPU back to what `freeze` stopped."""
        tree.resume(self._stopped)
        self._stopped = []

    def terminate(self) -> None:
        """Ask the command to end: SIGTERM, and CPU to obey."""
        tree.send(self.pid, signal.SIGTERM)
        self.thaw()

    def kill(self) -> None:
        """End the whole tree at once."""
        tree.kill(self._launcher.pid)

    async def destroy(self) -> None:
        """Make sure that nothing of the tree is left, then forget its files."""
        self.kill()
        try:
            await asyncio.wait_for(self._launcher.wait(), _LAUNCHER_PATIENCE_SECONDS)
        except TimeoutError:
            self.kill()
            self._launcher.kill()
            await self._launcher.wait()
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)


async def launch(launch: Launch, *, tmpfs: bool) -> ContainerProcess:
    """Start a container; its launcher is on record before the command runs."""
    launch.home.mkdir(parents=True, exist_ok=True)
    launch.log.parent.mkdir(parents=True, exist_ok=True)
    prune(launch.log.parent)
    for mount in launch.mounts:
        mount.path.mkdir(parents=True, exist_ok=True)
    launcher = await _spawn()
    write_record(launch.directory / RECORD, launcher.pid)
    report = await _tell(launcher, _plan(launch, tmpfs=tmpfs))
    if "pid" not in report:
        await launcher.wait()
        raise ChildProcessError(f"The launcher of {launch.directory.name} ended before it began.")
    return ContainerProcess(launcher, report["pid"], launch.directory)


async def can_mount(directory: Path) -> bool:
    """Whether this machine lets us bound a workspace by a tmpfs of its own."""
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    launcher = await _spawn()
    await _tell(launcher, {"probe": str(directory)})
    return await launcher.wait() == 0


async def _spawn() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_LAUNCHER)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        start_new_session=True,
    )


async def _tell(launcher: asyncio.subprocess.Process, plan: dict[str, object]) -> dict[str, int]:
    if launcher.stdin is None or launcher.stdout is None:
        raise RuntimeError("The launcher was started without pipes.")
    launcher.stdin.write(json.dumps(plan).encode())
    launcher.stdin.close()
    line = await launcher.stdout.readline()
    return json.loads(line) if line else {}


def _plan(launch: Launch, *, tmpfs: bool) -> dict[str, object]:
    return {
        "command": list(launch.command),
        "env": launch.env,
        "directory": str(launch.home),
        "log": str(launch.log),
        "tmpfs": tmpfs and bool(launch.mounts),
        "volumes": [{"path": str(mount.path), "bytes": mount.size_bytes} for mount in launch.mounts],
        # A kill by the watcher is told apart as OOM, so it must come first: this is for a grab within one interval.
        "dataBytes": 2 * launch.memory_bytes + _GRAB_BYTES if sys.platform == "linux" else 0,
    }
