"""How are processes of the user started and waited for? Each leads a session and process group of its own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.activity.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Child:
    """A running process; `exited` yields its exit code as a shell gives it (128 + signal)."""

    pid: int
    exited: "asyncio.Future[int]"

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the process and whatever it started in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


@dataclass(frozen=True, slots=True)
class Streams:
    """The file descriptors that the child gets; they stay open here."""

    stdin: int
    stdout: int
    stderr: int


class Children:
    """Starts processes and keeps the reaper of orphans away from them."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    async def spawn(
        self, command: Sequence[str], cwd: str, environment: Mapping[str, str], streams: Streams
    ) -> Child:
        """Start a process; raises OSError when it cannot be started."""
        with self._sampler.spawning() as own:
            process = await asyncio.to_thread(_start, command, cwd, environment, streams)
            own.add(process.pid)
        loop = asyncio.get_running_loop()
        exited: asyncio.Future[int] = loop.create_future()

        def finish(code: int) -> None:
            self._sampler.forget(process.pid)
            exited.set_result(code)

        # A thread of its own: one of the pool would be lost to others for as long as the command runs.
        arguments = (process, loop, finish)
        threading.Thread(target=_wait, args=arguments, name=f"wait-{process.pid}", daemon=True).start()
        return Child(process.pid, exited)


def _start(
    command: Sequence[str], cwd: str, environment: Mapping[str, str], streams: Streams
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - to run the user's own commands is what this is for
        command,
        cwd=cwd,
        env=environment,
        stdin=streams.stdin,
        stdout=streams.stdout,
        stderr=streams.stderr,
        start_new_session=True,
    )


def _wait(
    process: "subprocess.Popen[bytes]", loop: asyncio.AbstractEventLoop, finish: Callable[[int], None]
) -> None:
    code = process.wait()
    with contextlib.suppress(RuntimeError):  # the loop is closed: the agent itself ends
        loop.call_soon_threadsafe(finish, code if code >= 0 else 128 - code)
