"""What does usage hear of one instance? Each fact once, in order, and nothing after its end."""

from __future__ import annotations

from emulators.cloud_run.instances.usage import Allocation, Usage
from emulators.cloud_run.model.revision import RevisionSpec


class Account:
    """The facts of one instance; it closes what is open when the instance has gone."""

    def __init__(self, instance: str, usage: Usage) -> None:
        self._instance = instance
        self._usage = usage
        self._open = 0
        self._probing = False
        self._started = False
        self._stopping = False
        self._gone = False

    def started(self, revision: RevisionSpec) -> None:
        """Its container is being started."""
        self._started = True
        self._usage.instance_started(
            Allocation(
                service_id=revision.service_id,
                revision=revision.name,
                instance=self._instance,
                milli_cpu=revision.cpu_millis,
                memory_bytes=revision.memory_bytes,
                cpu_idle=revision.cpu_idle,
            )
        )

    def ready(self) -> None:
        """It has passed its startup probe."""
        self._usage.instance_ready(self._instance)

    def stopping(self) -> None:
        """It is asked to end."""
        if self._started and not self._stopping and not self._gone:
            self._stopping = True
            self._usage.instance_stopping(self._instance)

    def request_began(self) -> None:
        """A request or WebSocket has reached it."""
        if not self._gone:
            self._open += 1
            self._usage.request_began(self._instance)

    def request_ended(self) -> None:
        """One of those is over."""
        if self._open:
            self._open -= 1
            self._usage.request_ended(self._instance)

    def probe_began(self) -> None:
        """Its liveness probe is asked."""
        if not self._gone:
            self._probing = True
            self._usage.probe_began(self._instance)

    def probe_ended(self) -> None:
        """That probe is over."""
        if self._probing:
            self._probing = False
            self._usage.probe_ended(self._instance)

    def gone(self) -> None:
        """It has ended, and so has all that was open at it."""
        if self._gone or not self._started:
            return
        self.probe_ended()
        while self._open:
            self.request_ended()
        self._gone = True
        self._usage.instance_gone(self._instance)
