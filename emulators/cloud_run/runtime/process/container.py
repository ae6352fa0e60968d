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
from typing import Any

from emulators.cloud_run.runtime.contract import Ending, Launch, RuntimeFailure
from emulators.cloud_run.runtime.logs import prune
from emulators.cloud_run.runtime.ports import LOOPBACK, free_port
from emulators.cloud_run.runtime.process import tree
from emulators.cloud_run.runtime.process.leftovers import RECORD, write_record

_LAUNCHER = Path(__file__).with_name("launcher.py")
# The launcher ends by itself once its command is dead; this long is enough on any machine.
_LAUNCHER_PATIENCE_SECONDS = 5.0
_GRAB_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of bounded size, and where the template wants it."""

    mount_path: str
    path: Path
    size_bytes: int


class ProcessContainer:
    """A running instance: the command, and everything that it started."""

    def __init__(self, launcher: asyncio.subprocess.Process, pid: int, port: int, launch: Launch) -> None:
        self._launcher = launcher
        self._directory = launch.directory
        self._stopped: list[int] = []
        self._breach = ""
        self.pid = pid
        self.host = LOOPBACK
        self.port = port
        self.memory_bytes = launch.revision.memory_bytes
        self.mounts = mounts_of(launch)
        self.frozen = False
        self.measured = False

    @property
    def launcher_pid(self) -> int:
        """The root of the tree; not part of the container."""
        return self._launcher.pid

    @property
    def ended(self) -> bool:
        """Whether it is dead."""
        return self._launcher.returncode is not None

    async def wait(self) -> Ending:
        """How it ended, when everything that the command left is dead too."""
        return Ending(await self._launcher.wait(), self._breach)

    async def freeze(self) -> None:
        """Stop the whole tree."""
        self._stopped = tree.stop(self._launcher.pid)
        self.frozen, self.measured = True, False

    async def thaw(self) -> None:
        """Let go on what `freeze` stopped."""
        self.frozen = self.measured = False
        tree.resume(self._stopped)
        self._stopped = []

    async def terminate(self) -> None:
        """SIGTERM to the command."""
        tree.send(self.pid, signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL to the whole tree."""
        tree.kill(self._launcher.pid)

    def end_for(self, breach: str) -> None:
        """Kill the whole tree because it passed a limit."""
        self._breach = breach
        tree.kill(self._launcher.pid)

    async def destroy(self) -> None:
        """Make sure that nothing of the tree is left, then forget its files."""
        await self.kill()
        try:
            await asyncio.wait_for(self._launcher.wait(), _LAUNCHER_PATIENCE_SECONDS)
        except TimeoutError:
            await self.kill()
            self._launcher.kill()
            await self._launcher.wait()
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    def describe(self) -> dict[str, Any]:
        """Its one limit that is measured."""
        return {"limits": {"memoryBytes": self.memory_bytes}}


def mounts_of(launch: Launch) -> tuple[Mount, ...]:
    """The directories that stand for the revision's volumes."""
    volumes = launch.directory / "volumes"
    return tuple(
        Mount(volume.mount_path, volumes / volume.name, volume.size_bytes)
        for volume in launch.revision.volumes
    )


async def start(launch: Launch, command: tuple[str, ...], *, tmpfs: bool) -> ProcessContainer:
    """Start a container; its launcher is on record before the command runs. Raises OSError or RuntimeFailure."""
    home = launch.directory / "home"
    home.mkdir(parents=True, exist_ok=True)
    launch.log.parent.mkdir(parents=True, exist_ok=True)
    prune(launch.log.parent)
    for mount in mounts_of(launch):
        mount.path.mkdir(parents=True, exist_ok=True)
    port = free_port()
    launcher = await _spawn()
    write_record(launch.directory / RECORD, launcher.pid)
    plan = _plan(launch, command, home, tmpfs=tmpfs)
    report = await _tell(launcher, plan | {"env": _environment(launch, home, port)})
    if "pid" not in report:
        await launcher.wait()
        raise RuntimeFailure(f"The launcher of {launch.instance_id} ended before it began.")
    return ProcessContainer(launcher, report["pid"], port, launch)


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


def _environment(launch: Launch, home: Path, port: int) -> dict[str, str]:
    # A process has no mount table of its own, so a variable that names a mount path names the directory instead.
    directories = {mount.mount_path: str(mount.path) for mount in mounts_of(launch)}
    given = {name: directories.get(value, value) for name, value in launch.env.items()}
    own = {"PATH": os.environ.get("PATH", os.defpath), "LANG": os.environ.get("LANG", "C.UTF-8")}
    return own | given | {"PORT": str(port), "HOME": str(home)}


def _plan(launch: Launch, command: tuple[str, ...], home: Path, *, tmpfs: bool) -> dict[str, object]:
    mounts = mounts_of(launch)
    return {
        "command": list(command),
        "directory": str(home),
        "log": str(launch.log),
        "tmpfs": tmpfs and bool(mounts),
        "volumes": [{"path": str(mount.path), "bytes": mount.size_bytes} for mount in mounts],
        # A kill by the watcher is told apart as OOM, so it must come first: this is for a grab within one interval.
        "dataBytes": 2 * launch.revision.memory_bytes + _GRAB_BYTES if sys.platform == "linux" else 0,
    }
