"""Who is told what instances really do? The facts a bill is made of, each at its time by the emulator's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one instance is given."""

    service_id: str
    revision: str
    instance: str
    milli_cpu: int
    memory_bytes: int
    cpu_idle: bool
    """Whether CPU is given, and billed, while requests are open only."""


class Usage(Protocol):
    """Hears each fact once, in order."""

    def instance_started(self, allocation: Allocation) -> None:
        """Its container is being started: startup is billed as if a request were open."""

    def instance_ready(self, instance: str) -> None:
        """It has passed its startup probe."""

    def instance_stopping(self, instance: str) -> None:
        """It was sent SIGTERM: until it is gone it is billed as if a request were open."""

    def instance_gone(self, instance: str) -> None:
        """It has ended."""

    def request_began(self, instance: str) -> None:
        """A request or WebSocket has reached it."""

    def request_ended(self, instance: str) -> None:
        """That request is over."""

    def probe_began(self, instance: str) -> None:
        """Its liveness probe is asked: it is billed as if a request were open, but there is no fee."""

    def probe_ended(self, instance: str) -> None:
        """That probe is over."""

    def minimum_set(self, service_id: str, minimum: int) -> None:
        """So many instances of the service are kept, and billed, even when they are idle."""


class NoUsage(Usage):
    """Nobody is told."""
