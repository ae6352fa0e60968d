"""Who writes down what instances do? A `Usage` that puts each fact into the journal with the time of the clock.

It remembers which instances live and nothing else: a bill is made from the journal. While any lives it notes every few
seconds how late it is, so that an emulator that was killed knows the time of its death that well: what it left running
ends there, whatever the leftovers still did until the next emulator removed them.
"""

from __future__ import annotations

import asyncio

from emulators.clock import Clock
from emulators.cloud_run.instances.usage import Allocation
from emulators.cloud_run.meter.facts import Fact, Kind
from emulators.cloud_run.meter.journal import Journal
from emulators.cloud_run.meter.times import micros

# Of real time: a clock that is moved by a month has no need of half a million notes.
_NOTE_SECONDS = 5.0


class Meter:
    """Hears the facts."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._living: set[str] = set()
        self._noting: asyncio.TimerHandle | None = None
        self._write(Kind.RESTARTED)

    def instance_started(self, allocation: Allocation) -> None:
        """It costs from now on."""
        self._living.add(allocation.instance)
        self._journal.add(Fact(self.now(), Kind.STARTED, allocation.instance, allocation))
        if self._noting is None:
            self._note_later()

    def instance_ready(self, instance: str) -> None:
        """Its startup is over."""
        self._write(Kind.READY, instance)

    def instance_stopping(self, instance: str) -> None:
        """Its shutdown begins."""
        self._write(Kind.STOPPING, instance)

    def instance_gone(self, instance: str) -> None:
        """It costs nothing any more."""
        self._living.discard(instance)
        self._write(Kind.GONE, instance)

    def request_began(self, instance: str) -> None:
        """It is active."""
        self._write(Kind.BEGAN, instance)

    def request_ended(self, instance: str) -> None:
        """It may be idle."""
        self._write(Kind.ENDED, instance)

    def probe_began(self, instance: str) -> None:
        """It is active, without a fee."""
        self._write(Kind.PROBE_BEGAN, instance)

    def probe_ended(self, instance: str) -> None:
        """It may be idle."""
        self._write(Kind.PROBE_ENDED, instance)

    def minimum_set(self, service_id: str, minimum: int) -> None:
        """So many of the service's idle instances cost something."""
        self._journal.add(Fact(self.now(), Kind.MINIMUM, service_id, minimum=minimum))

    def now(self) -> int:
        """Microseconds since 1970 by the emulator's clock."""
        return micros(self._clock.now())

    def close(self) -> None:
        """No fact comes any more."""
        if self._noting is not None:
            self._noting.cancel()
        self._journal.close()

    def _write(self, kind: Kind, subject: str = "") -> None:
        self._journal.add(Fact(self.now(), kind, subject))

    def _note(self) -> None:
        self._noting = None
        if self._living:
            self._write(Kind.ALIVE)
            self._note_later()

    def _note_later(self) -> None:
        self._noting = asyncio.get_running_loop().call_later(_NOTE_SECONDS, self._note)
