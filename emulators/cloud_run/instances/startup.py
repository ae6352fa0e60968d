"""Has an instance started? Its port accepts, or its probe's path answers.

Probes are repeated faster than the template's period, because locally nobody gains from waiting;
the time allowed is the template's. Liveness and readiness probes are not emulated.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from emulators.cloud_run.model.revision import StartupProbe

MAX_STARTUP_SECONDS = 240.0
_INTERVAL_SECONDS = 0.02


async def wait_until_started(host: str, port: int, probe: StartupProbe) -> None:
    """Return when the probe succeeds; TimeoutError when its time is up."""
    allowance = (probe.initial_delay + probe.allowance).total_seconds()
    async with asyncio.timeout(min(allowance, MAX_STARTUP_SECONDS)):
        await asyncio.sleep(probe.initial_delay.total_seconds())
        while not await _succeeds(host, port, probe):  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(_INTERVAL_SECONDS)


async def _succeeds(host: str, port: int, probe: StartupProbe) -> bool:
    try:
        async with asyncio.timeout(max(1.0, probe.timeout.total_seconds())):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                return probe.path is None or await _answers(reader, writer, probe)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, probe: StartupProbe) -> bool:
    lines = [f"GET {probe.path} HTTP/1.1", "Host: localhost", "User-Agent: GoogleHC/1.0", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in probe.headers]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    status = (await reader.readline()).split(b" ", 2)
    return len(status) > 1 and status[1][:1] in (b"2", b"3")
