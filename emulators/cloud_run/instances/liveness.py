"""Is an instance still well? Its liveness probe is asked every period by the emulator's clock, until it has failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from emulators.clock import Clock
from emulators.cloud_run.instances.probing import Health
from emulators.cloud_run.model.probe import Probe


async def has_failed(probe: Probe, question: Callable[[], Awaitable[Health]], clock: Clock) -> None:
    """Return when the probe has failed so many times in a row as its threshold says; `question` asks once."""
    failures = 0
    due = clock.time() + probe.initial_delay.total_seconds()
    while failures < probe.failure_threshold:
        await clock.sleep(due - clock.time())
        due += probe.period.total_seconds()
        # The clock stands by until the container has answered: it needs real time for that.
        with clock.pinned():
            health = await question()
        failures = 0 if health is Health.WELL else failures + 1
