"""One supervised process: started on its leash, watched, restarted with back-off, stopped in the end."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from emulators.stack.component import Component, StackError
from emulators.stack.probe import answers, last_lines

_LEASH = Path(__file__).with_name("leash.py")
_BACK_OFF_SECONDS = (0.5, 1, 2, 4, 8, 16, 30)
_STABLE_SECONDS = 60


class Child:
    """A component's process over all its restarts; `ready` is set while it answers."""

    def __init__(self, component: Component, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.component = component
        self.pid: int | None = None
        self.restarts = 0
        self.ready = asyncio.Event()
        self.stopped = asyncio.Event()
        self._say = say
        self._changed = changed
        self._leash: asyncio.subprocess.Process | None = None
        self._tether: socket.socket | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the process and returns when it answers; raises StackError with its last words when it does not."""
        self.component.log.parent.mkdir(parents=True, exist_ok=True)
        self.component.log.write_bytes(b"")
        await self._spawn()
        if not await self._came_up():
            failure = self._failure()
            await self._end()
            raise StackError(failure)
        self._watch = asyncio.create_task(self._restart_when_it_dies())

    async def stop(self) -> None:
        """Stops the process and all that it left behind; returns when nothing is left. Idempotent."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self.ready.is_set():
            try:
                await asyncio.to_thread(self.component.before_stop)
            except Exception as failure:  # a farewell that fails must not keep the others running
                self._say(f"{self.component.name}: {failure}")
        self.ready.clear()
        await self._end()
        self.stopped.set()

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        self._tether = ours
        leash = [sys.executable, "-I", "-S", str(_LEASH), str(theirs.fileno())]
        with self.component.log.open("ab") as log, theirs:
            self._leash = await asyncio.create_subprocess_exec(
                *leash,
                str(self.component.grace_seconds),
                *self.component.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.component.directory,
                env=dict(self.component.environment),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.setblocking(False)
        said = await asyncio.get_running_loop().sock_recv(ours, 64)
        self.pid = int(said) if said else None

    async def _came_up(self) -> bool:
        deadline = time.monotonic() + self.component.start_seconds
        while time.monotonic() < deadline and self._is_alive():
            if await asyncio.to_thread(answers, self.component.ready) and self._is_alive():
                if self.restarts == 0:
                    self.component.after_start()
                self.ready.set()
                return True
            await asyncio.sleep(0.05)
        return False

    async def _restart_when_it_dies(self) -> None:
        name, attempt = self.component.name, 0
        while True:
            began = time.monotonic()
            code = await self._process().wait()
            self.ready.clear()
            self._let_go()
            attempt = 0 if time.monotonic() - began > _STABLE_SECONDS else attempt
            delay = _BACK_OFF_SECONDS[min(attempt, len(_BACK_OFF_SECONDS) - 1)]
            attempt += 1
            self._say(
                f"{name} ended with {code}; starting it again in {delay:g} s. {self.component.loss}".rstrip()
            )
            await asyncio.sleep(delay)
            await self._spawn()
            self.restarts += 1
            if await self._came_up():
                self._say(f"{name} is back (process {self.pid}).")
                self._changed()
            else:
                await self._end()

    async def _end(self) -> None:
        leash = self._leash
        if leash is not None and leash.returncode is None:
            leash.terminate()
            try:
                await asyncio.wait_for(leash.wait(), self.component.grace_seconds + 6)
            except TimeoutError:
                # The command dies with its leash; the wait above covers the leash's own grace and clean-up.
                leash.kill()
                await leash.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self._tether is not None:
            self._tether.close()
        self._tether, self.pid = None, None

    def _is_alive(self) -> bool:
        return self._leash is not None and self._leash.returncode is None

    def _process(self) -> asyncio.subprocess.Process:
        assert self._leash is not None, "watched before it was started"
        return self._leash

    def _failure(self) -> str:
        part, code = self.component, self._process().returncode
        silence = f"did not answer at {part.ready} within {part.start_seconds:g} s"
        why = silence if code is None else f"ended with {code} before it answered at {part.ready}"
        return f"{part.name} {why}. Its log, {part.log}, ends with:\n{last_lines(part.log)}"
