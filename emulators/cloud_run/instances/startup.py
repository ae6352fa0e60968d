"""Has an instance started? Its startup probe decides, by the emulator's clock.

A port on which nobody listens yet is looked at again at once, because nobody gains from waiting for the probe's next
turn; what the container answers counts, and it is asked again a period later.
"""

from __future__ import annotations

import asyncio

from emulators.clock import Clock
from emulators.cloud_run.instances.probing import Health, ask
from emulators.cloud_run.model.probe import Probe

# Cloud Run's own limit, whatever the probe would allow.
MAX_STARTUP_SECONDS = 240.0
_INTERVAL_SECONDS = 0.02
# So long, in real time, a jump of the clock waits for a container that does not listen yet.
_PATIENCE_SECONDS = 10.0


class NotStarted(Exception):
    """The startup probe has failed as often as its threshold allows, or the time is up."""


class Startup:
    """The startup probe of one instance, asked at `host` and `port`."""

    def __init__(self, host: str, port: int, probe: Probe, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._probe = probe
        self._clock = clock
        self._patient_until = asyncio.get_running_loop().time() + _PATIENCE_SECONDS

    async def succeeds(self) -> None:
        """Return when it has; raises NotStarted."""
        probe = self._probe
        allowance = (probe.initial_delay + probe.allowance).total_seconds()
        try:
            async with self._clock.timeout(min(allowance, MAX_STARTUP_SECONDS)):
                await self._clock.sleep(probe.initial_delay.total_seconds())
                await self._asked()
        except TimeoutError:
            raise NotStarted from None

    async def _asked(self) -> None:
        began = self._clock.time()
        for turn in range(1, self._probe.failure_threshold + 1):
            ends = began + turn * self._probe.period.total_seconds()
            if await self._answer(ends) is Health.WELL:
                return
            if turn < self._probe.failure_threshold:
                await self._clock.sleep(ends - self._clock.time())
        raise NotStarted

    async def _answer(self, ends: float) -> Health:
        """What the container says, as soon as it listens; ABSENT when it does not until the period ends."""
        loop = asyncio.get_running_loop()
        with self._clock.pinned(self._patient_until - loop.time()):
            while (health := await ask(self._host, self._port, self._probe)) is Health.ABSENT:
                if self._clock.time() >= ends:
                    break
                await asyncio.sleep(_INTERVAL_SECONDS)
        return health
