"""Which long connections are open? Silent ones are no activity, so a quiesce closes them instead of waiting for them."""

import asyncio
import contextlib
from collections.abc import Iterator


class ClosedByAgentError(Exception):
    """The agent closed this connection; code and reason are those of a WebSocket's close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Connections:
    """The tasks that serve connections; closing one raises ClosedByAgentError inside its block."""

    def __init__(self, code: int, reason: str) -> None:
        self._code = code
        self._reason = reason
        self._tasks: set[asyncio.Task[object]] = set()
        self._closing: set[asyncio.Task[object]] = set()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Count the current task as a connection while the block runs; raises ClosedByAgentError."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._closing:
                raise
            task.uncancel()
            raise ClosedByAgentError(self._code, self._reason) from None
        finally:
            self._tasks.discard(task)
            self._closing.discard(task)

    def close_all(self) -> None:
        """Ask every connection to end."""
        for task in self._tasks - self._closing:
            self._closing.add(task)
            task.cancel()
