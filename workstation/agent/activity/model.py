"""When was this workstation last active, by what, and what goes on now? Pure: it is told the time."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.activity.cpu import Busy, Cause, Verdict


class Source(StrEnum):
    """What kind of activity it was."""

    EXEC = "exec"
    FILE = "file"
    TERMINAL = "terminal"
    WEBSOCKET = "websocket"
    REQUEST = "request"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Touch:
    """One instant of activity."""

    time: datetime
    source: Source


@dataclass(frozen=True, slots=True)
class Report:
    """What the control plane is told."""

    last: Touch | None
    last_client: Touch | None
    busy: Busy
    causes: tuple[Cause, ...]
    requests_in_flight: int


class Activity:
    """Remembers the last activity and counts what is going on; health checks never come here."""

    def __init__(self) -> None:
        self._last: Touch | None = None
        self._last_client: Touch | None = None
        self._in_flight: Counter[Source] = Counter()
        self._execs: dict[int, str] = {}

    def touch(self, source: Source, at: datetime) -> None:
        """Note something that a client did."""
        self._last = self._last_client = Touch(at, source)

    def begin(self, source: Source, at: datetime) -> None:
        """Note that a request of a client began."""
        self._in_flight[source] += 1
        self.touch(source, at)

    def end(self, source: Source, at: datetime) -> None:
        """Note that a request of a client ended."""
        self._in_flight[source] -= 1
        self.touch(source, at)

    def exec_started(self, pid: int, name: str, at: datetime) -> None:
        """Note a command that runs from now on, with or without its client."""
        self._execs[pid] = name
        self.touch(Source.EXEC, at)

    def exec_ended(self, pid: int, at: datetime) -> None:
        """Note the end of a command, which is work but nothing that the client did."""
        if self._execs.pop(pid, None) is not None:
            self._last = Touch(at, Source.EXEC)

    def worked(self, verdict: Verdict, at: datetime) -> None:
        """Note the work that goes on without any client at the time of a sample."""
        if self._execs:
            self._last = Touch(at, Source.EXEC)
        elif verdict.busy is Busy.YES:
            self._last = Touch(at, Source.PROCESS)

    def report(self, verdict: Verdict) -> Report:
        """Join what is counted here with what the processes do."""
        counted = self._counted_causes()
        busy = Busy.YES if counted else verdict.busy
        causes = (*counted, *verdict.causes)
        return Report(self._last, self._last_client, busy, causes, self.requests_in_flight)

    @property
    def requests_in_flight(self) -> int:
        """Return how many requests of clients are being answered."""
        return self._in_flight.total()

    def _counted_causes(self) -> list[Cause]:
        execs = [Cause("exec", pid, name) for pid, name in self._execs.items()]
        requests = [Cause("request", None, source) for source, count in self._in_flight.items() if count]
        return execs + requests
