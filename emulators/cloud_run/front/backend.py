"""What is behind a listener? The service: its door, its instances, and the faults that its requests meet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from emulators.clock import Clock
from emulators.cloud_run.front.heads import Request
from emulators.cloud_run.instances.instance import Instance
from emulators.faults.gate import FaultGate
from emulators.faults.rule import Effect, Rule

REQUEST = "Request"
Check = Callable[[Request], Awaitable[Request]]


class Target(Protocol):
    """The instances of a service."""

    async def admit(self) -> Instance:
        """An acquired instance; raises Unavailable or Exhausted."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One service, as its listener sees it; `check` lets a request in, as the container may see it, or refuses."""

    service_id: str
    check: Check
    target: Target
    gate: FaultGate
    clock: Clock

    async def faulty(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask an instance, with what goes wrong before, and after it has answered; raises ApiError or Dropped."""
        await self.gate.around(REQUEST, self.service_id, ask)

    def kills(self) -> Rule | None:
        """The fault that kills the instance which has just been given a request."""
        return self.gate.strikes(Effect.KILL, REQUEST, self.service_id)
