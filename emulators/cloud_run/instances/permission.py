"""May an instance start now? The faults of the method `Start` say when not: its resource is the service's id."""

from __future__ import annotations

import asyncio

from emulators.clock import Clock
from emulators.cloud_run.instances.startup import MAX_STARTUP_SECONDS
from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.errors import ApiError
from emulators.faults.gate import Dropped, FaultGate

START = "Start"


async def permission(gate: FaultGate, service_id: str, stopped: asyncio.Event, clock: Clock) -> None:
    """Return when it may; RuntimeFailure when a fault says that it cannot, or when it is stopped meanwhile."""
    asking = asyncio.create_task(gate.around(START, service_id, _nothing))
    stop = asyncio.create_task(stopped.wait())
    try:
        async with clock.timeout(MAX_STARTUP_SECONDS):
            await asyncio.wait({asking, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise RuntimeFailure("The instance was stopped before its container was started.")
        asking.result()
    except ApiError as error:
        raise RuntimeFailure(f"The container could not be started: {error.message}") from error
    except Dropped as error:
        raise RuntimeFailure(f"The container could not be started: the fault '{error}' struck.") from error
    except TimeoutError:
        raise RuntimeFailure(f"The container was not started within {MAX_STARTUP_SECONDS:g} s.") from None
    finally:
        asking.cancel()
        stop.cancel()


async def _nothing() -> None:
    """A fault of a start, before or after, comes before its container."""
