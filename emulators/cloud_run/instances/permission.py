"""May an instance start now? The faults of the method `Start` say when not: its resource is the service's id."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from emulators.clock import Clock
from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.errors import ApiError
from emulators.faults.gate import Dropped, FaultGate

START = "Start"


class NotInTime(RuntimeFailure):
    """The platform has had no machine for the instance before its deadline; the container is not to blame."""


async def permission(
    gate: FaultGate, service_id: str, stopped: asyncio.Event, clock: Clock, *, longest: timedelta
) -> None:
    """Return when it may; RuntimeFailure when a fault says that it cannot, or when it is stopped meanwhile.

    NotInTime when that is not known after `longest`.
    """
    asking = asyncio.create_task(gate.around(START, service_id, _nothing))
    stop = asyncio.create_task(stopped.wait())
    try:
        async with clock.timeout(longest.total_seconds()):
            await asyncio.wait({asking, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise RuntimeFailure("The instance was stopped before its container was started.")
        asking.result()
    except ApiError as error:
        raise RuntimeFailure(f"The container could not be started: {error.message}") from error
    except Dropped as error:
        raise RuntimeFailure(f"The container could not be started: the fault '{error}' struck.") from error
    except TimeoutError:
        raise NotInTime("Resource readiness deadline exceeded.") from None
    finally:
        asking.cancel()
        stop.cancel()


async def _nothing() -> None:
    """A fault of a start, before or after, comes before its container."""
