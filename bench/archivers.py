"""Who saves a tree, and how is each asked to? Our engine, our command line and its peers, each in its own process."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tools.venv import ROOT

OURS, COMMAND_LINE = "ours", "our command line"
RESTIC, BORG, TAR = "restic", "borg", "tar | zstd -3 -T0"
_WORKSTATION = {"PYTHONPATH": str(ROOT / "workstation")}
WATCHED = Path(__file__).with_name("watched.py")
_PASSWORD = "bench"  # noqa: S105 - of repositories that are gone with the run


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took: seconds by the clock, its start among them, seconds of processors, peak memory in bytes."""

    seconds: float
    processor: float
    peak: int


class Archiver(Protocol):
    """Saves one tree into one place, which `prepare` makes."""

    name: str

    def prepare(self) -> None:
        """Make the repository; not measured."""

    def save(self) -> Cost:
        """Save the tree; again, what has changed since the last time."""

    def restore(self, target: Path) -> Cost:
        """Restore the newest save into an empty directory, or one that is not there."""

    def restored(self, target: Path) -> Path:
        """Return where the tree is below `target`."""

    @property
    def stored(self) -> Path:
        """Where the bytes lie, and nothing else."""


class Ours:
    """The engine as an agent runs it: a process that has been started already, and knows what it saved last.

    Whoever restores is another one, as an agent that has just been started.
    """

    name = OURS

    def __init__(self, tree: Path, place: Path) -> None:
        self._tree = tree
        self.stored = place / "store"
        self._resident: subprocess.Popen[str] | None = None

    def prepare(self) -> None:
        self.stored.mkdir(parents=True)
        self._resident = self._start()

    def save(self) -> Cost:
        assert self._resident
        return _told(self._resident, "save", self._tree)

    def restore(self, target: Path) -> Cost:
        self.end()
        with self._start() as restorer:
            return _told(restorer, "restore", target)

    def restored(self, target: Path) -> Path:
        return target

    def end(self) -> None:
        """End the one that saves, if there is one."""
        if self._resident:
            self._resident.communicate()
            self._resident = None

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bench.resident", str(self.stored)],
            cwd=ROOT,
            env=os.environ | _WORKSTATION,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def _told(resident: subprocess.Popen[str], verb: str, path: Path) -> Cost:
    assert resident.stdin
    assert resident.stdout
    resident.stdin.write(json.dumps([verb, str(path)]) + "\n")
    resident.stdin.flush()
    answer = resident.stdout.readline()
    if not answer:
        raise RuntimeError(f"our engine ended with {resident.wait()} when it was to {verb}")
    return Cost(**json.loads(answer))


class CommandLine:
    """The engine by its command line: with its start, a file for what it knows, and what it stored read back."""

    name = COMMAND_LINE

    def __init__(self, tree: Path, place: Path) -> None:
        self._tree = tree
        self._place = place
        self.stored = place / "store"

    def prepare(self) -> None:
        self.stored.mkdir(parents=True)

    def save(self) -> Cost:
        return self._run("save", self._tree)

    def restore(self, target: Path) -> Cost:
        return self._run("restore", target)

    def restored(self, target: Path) -> Path:
        return target

    def _run(self, verb: str, root: Path) -> Cost:
        index = self._place / f"index-of-{root.name}"
        command = ["-m", "agent.backup", verb, str(root), "--store", str(self.stored), "--index", str(index)]
        return run([sys.executable, *command], _WORKSTATION)


class Restic:
    """restic with a cache of its own; encrypts, as it always does."""

    name = RESTIC

    def __init__(self, tree: Path, place: Path) -> None:
        self._tree = tree
        self.stored = place / "repository"
        self._environment = {
            "RESTIC_REPOSITORY": str(self.stored),
            "RESTIC_PASSWORD": _PASSWORD,
            "RESTIC_CACHE_DIR": str(place / "cache"),
        }

    def prepare(self) -> None:
        run(["restic", "init", "--quiet"], self._environment)

    def save(self) -> Cost:
        return run(["restic", "backup", "--quiet", str(self._tree)], self._environment)

    def restore(self, target: Path) -> Cost:
        return run(["restic", "restore", "latest", "--quiet", "--target", str(target)], self._environment)

    def restored(self, target: Path) -> Path:
        return target / self._tree.relative_to("/")


class Borg:
    """borg, unencrypted and with our compression."""

    name = BORG

    def __init__(self, tree: Path, place: Path) -> None:
        self._tree = tree
        self._saves = 0
        self.stored = place / "repository"
        self._environment = {"BORG_REPO": str(self.stored), "BORG_BASE_DIR": str(place / "base")} | {
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"
        }

    def prepare(self) -> None:
        self.stored.parent.mkdir(parents=True)
        run(["borg", "init", "--encryption", "none"], self._environment)

    def save(self) -> Cost:
        self._saves += 1
        create = ["borg", "create", "--compression", "zstd,3", f"::{self._saves}", "."]
        return run(create, self._environment, self._tree)

    def restore(self, target: Path) -> Cost:
        target.mkdir()
        return run(["borg", "extract", f"::{self._saves}"], self._environment, target)

    def restored(self, target: Path) -> Path:
        return target


class Tar:
    """What a shell has: everything, each time."""

    name = TAR

    def __init__(self, tree: Path, place: Path) -> None:
        self._tree = tree
        self.stored = place / "archives"
        self._saves = 0

    def prepare(self) -> None:
        self.stored.mkdir(parents=True)

    def save(self) -> Cost:
        self._saves += 1
        return run(["tar", "-I", "zstd -3 -T0", "-cf", str(self._archive), "-C", str(self._tree), "."])

    def restore(self, target: Path) -> Cost:
        target.mkdir()
        return run(["tar", "-I", "zstd -d", "-xf", str(self._archive), "-C", str(target)])

    def restored(self, target: Path) -> Path:
        return target

    @property
    def _archive(self) -> Path:
        return self.stored / f"{self._saves}.tar.zst"


_PEERS: Mapping[str, tuple[Callable[[Path, Path], Archiver], str]] = {
    "restic": (Restic, "restic"),
    "borg": (Borg, "borgbackup"),
    "zstd": (Tar, "zstd"),
}


def missing() -> list[str]:
    """What is not on this machine, and how it is got."""
    return [
        f"{program} is not here (apt-get install {package}): nothing was measured beside it"
        for program, (_, package) in _PEERS.items()
        if shutil.which(program) is None
    ]


def archivers(tree: Path, place: Path) -> Sequence[Archiver]:
    """Ours and the peers that this machine has, each with a new place below `place`."""
    peers: list[Archiver] = [
        kind(tree, place / program)
        for program, (kind, _) in _PEERS.items()
        if shutil.which(program) is not None
    ]
    return [Ours(tree, place / "ours"), CommandLine(tree, place / "command-line"), *peers]


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Cost:
    """Run a command to its end; raises RuntimeError with its words when it fails."""
    watcher = [sys.executable, "-I", "-S", str(WATCHED)]
    done = subprocess.run(
        [*watcher, *command],
        cwd=cwd,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    if said["code"]:
        raise RuntimeError(f"{' '.join(command)} ended with {said['code']}:\n{done.stderr}")
    return Cost(**said["cost"])
