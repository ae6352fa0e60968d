"""The local cloud as one object: start it, use its addresses, stop it. The command line and the tests both do.

with LocalCloud(Options(state=tmp_path / "stack", any_free_ports=True)) as cloud:
    httpx2.get(cloud.endpoints["api"] + "/healthz")
"""

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from emulators.stack import stack_file
from emulators.stack.auth import DEMO_USERS, User, find_firebase, id_token, user
from emulators.stack.component import Component, StackError
from emulators.stack.components import components, refuse_missing, wanted
from emulators.stack.description import describe, endpoints
from emulators.stack.kept_state import KeptState
from emulators.stack.options import Addresses, Options
from emulators.stack.ports import DEFAULTS, PortTaken, choose
from emulators.stack.runtime import Runtime, choose_runtime
from emulators.stack.supervisor import Supervisor

# ID tokens live for an hour; the ones in the stack file are always good for half of that.
_REFRESH_SECONDS = 30 * 60


class LocalCloud:
    """One local cloud, run by a thread of its own. Start it once; stop is idempotent."""

    def __init__(self, options: Options | None = None, say: Callable[[str], None] = print) -> None:
        self.options = options or Options()
        self.components: list[Component] = []
        self.addresses = Addresses({})
        self._say = say
        self._kept = KeptState(self.options.state)
        self._lock: int | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-cloud", daemon=True)
        self._supervisor: Supervisor | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._tokens: dict[User, str] = {}
        self._auth: str | None = None
        self._runtime: Runtime | None = None
        self._started = datetime.now(UTC)

    @property
    def endpoints(self) -> dict[str, str]:
        """The addresses by name, as the stack file has them."""
        return endpoints(self.addresses)

    @property
    def pids(self) -> dict[str, int]:
        """The process of each component now."""
        children = self._supervisor.children.values() if self._supervisor else ()
        return {child.component.name: child.pid for child in children if child.pid is not None}

    def start(self) -> Self:
        """Returns when every component answers; raises StackError, with nothing left running."""
        self._take_lock()
        self._thread.start()
        try:
            self._prepare()
            self._supervisor = Supervisor(self.components, self._say, self._changed)
            self._run(self._begin(self._supervisor))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stops every component, keeps what is to be kept and takes the stack file away."""
        if self._lock is None:
            return
        if self._supervisor is not None:
            self._run(self._end(self._supervisor))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._kept.close(self.options.ephemeral)
        stack_file.remove(self.options.stack_file)
        os.close(self._lock)
        self._lock = None

    def id_token(self, uid: str) -> str:
        """A fresh ID token of a user; raises StackError when the Auth emulator refuses."""
        return id_token(self._auth, user(uid))

    def description(self) -> dict[str, Any]:
        """What the stack file says, now."""
        content = describe(self.addresses, self.components, self.pids, self._tokens)
        return content | {
            "runtime": self._runtime.name if self._runtime else None,
            "authEmulator": self._auth is not None,
            "minuteSeconds": self.options.minute_seconds,
            "startTime": self._started.isoformat(),
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self) -> None:
        options, names = self.options, wanted(self.options.only)
        refuse_missing(names)
        self._runtime = choose_runtime(options, self._say) if "cloud_run" in names else None
        with_records = options.ephemeral or "firestore" in names
        imported = self._kept.open(self._say, options.ephemeral) if with_records else None
        try:
            ports = choose(DEFAULTS, options.ports, self._say, options.any_free_ports)
        except PortTaken as failure:
            raise StackError(str(failure)) from failure
        self.addresses = Addresses(ports)
        firebase = find_firebase() if "auth" in names else None
        self._auth = self.addresses.url("auth") if firebase else None
        self.components = components(options, self.addresses, imported, firebase, self._runtime, self._say)

    def _take_lock(self) -> None:
        self.options.state.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.options.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failure:
            os.close(lock)
            raise StackError(
                f"A local cloud is already running on {self.options.state}. "
                f"See it with ./dev status, end it with ./dev down."
            ) from failure
        self._lock = lock

    async def _begin(self, supervisor: Supervisor) -> None:
        await supervisor.start()
        await self._refresh_tokens()
        self._refresh = asyncio.create_task(self._keep_fresh())

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            try:
                await self._refresh_tokens()
            except StackError as failure:
                self._say(str(failure))

    async def _refresh_tokens(self) -> None:
        self._tokens = {known: await asyncio.to_thread(id_token, self._auth, known) for known in DEMO_USERS}
        self._write()

    def _changed(self) -> None:
        """A child has another process now; before the cloud is whole there is no file to correct."""
        if self._refresh is not None:
            self._write()

    def _write(self) -> None:
        stack_file.write(self.options.stack_file, self.description())

    async def _end(self, supervisor: Supervisor) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
        await supervisor.stop()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
