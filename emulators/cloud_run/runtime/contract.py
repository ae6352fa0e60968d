"""What does an instance need of whatever runs it? The contract that every runtime keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emulators.cloud_run.model.quantities import MIB
from emulators.cloud_run.model.revision import RevisionSpec


class RuntimeFailure(Exception):
    """The runtime could not do what it was asked to do; the message is for a person."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One instance to be run: its revision, its environment but for PORT and HOME, its own directory and log."""

    instance_id: str
    revision: RevisionSpec
    env: dict[str, str]
    directory: Path
    log: Path


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container ended: its exit code (128 + n for signal n, None when unknown), and why if a limit was passed."""

    code: int | None
    reason: str = ""


class Container(Protocol):
    """A running container. Calls that need a runtime that is gone raise RuntimeFailure; a dead container is no error."""

    @property
    def pid(self) -> int | None:
        """Its first process, as this machine numbers it."""

    @property
    def host(self) -> str:
        """The address on which it is reached."""

    @property
    def port(self) -> int:
        """The port on which it should listen: its PORT."""

    async def wait(self) -> Ending:
        """Return when it has ended."""

    async def freeze(self) -> None:
        """Take the CPU away from everything in it."""

    async def thaw(self) -> None:
        """Give the CPU back to what `freeze` stopped."""

    async def terminate(self) -> None:
        """Ask it to end: SIGTERM. It has its CPU."""

    async def kill(self) -> None:
        """End everything in it at once, frozen or not."""

    async def destroy(self) -> None:
        """Leave nothing of it but its log, which is complete then. Never raises RuntimeFailure."""

    def describe(self) -> dict[str, Any]:
        """What an observer may know of it beyond pid and port."""


class Runtime(Protocol):
    """Runs containers."""

    async def open(self) -> None:
        """Get ready; before anything else."""

    async def clean(self) -> int:
        """Remove what an emulator that is no more has left; returns how many instances that were."""

    async def close(self) -> None:
        """Let go of everything; all containers have been destroyed."""

    async def has(self, image: str) -> bool:
        """Whether the image is here."""

    async def fetch(self, image: str) -> str:
        """Get an image that is not here; why it cannot be had, or nothing when it is here now.

        TimeoutError when it is not here in time.
        """

    async def launch(self, launch: Launch) -> Container:
        """Start a container. Raises RuntimeFailure, and leaves nothing behind then."""

    def describe(self) -> dict[str, Any]:
        """Its name, why it was chosen, and which bounds hold."""


def memory_exceeded(limit: int, used: int | None = None) -> str:
    """Cloud Run's words for an instance that passed its memory; bytes, `used` where it is known."""
    by = f" with {used // MIB} MiB used" if used is not None else ""
    return f"Memory limit of {limit // MIB} MiB exceeded{by}. Consider increasing the memory limit."
