"""Which runtime? Asked for on the command line, or found out: containers where they can be had and reached."""

from __future__ import annotations

import asyncio
import logging

from emulators.cloud_run.arguments import Arguments
from emulators.cloud_run.runtime.contract import Runtime, RuntimeFailure
from emulators.cloud_run.runtime.process.runtime import ProcessRuntime

_LOG = logging.getLogger("emulators.cloud_run")


async def choose(arguments: Arguments) -> Runtime:
    """The runtime for this command line; RuntimeFailure when the one that is asked for cannot be used."""
    if arguments.runtime == "process":
        return _process(arguments, "--runtime process")
    # Only who may run containers pays for loading the engine's client.
    from emulators.cloud_run.runtime.docker.engine import why_unusable  # noqa: PLC0415
    from emulators.cloud_run.runtime.docker.runtime import DockerRuntime  # noqa: PLC0415

    obstacle = await asyncio.to_thread(why_unusable, with_doors=bool(arguments.doors))
    if not obstacle:
        why = "--runtime docker" if arguments.runtime == "docker" else "a container engine answers"
        _LOG.info("Instances are containers: %s.", why)
        return DockerRuntime(arguments.state, arguments.images, arguments.doors, why=why)
    if arguments.runtime == "docker":
        raise RuntimeFailure(f"--runtime docker is not possible: {obstacle}.")
    return _process(arguments, obstacle)


def _process(arguments: Arguments, why: str) -> ProcessRuntime:
    _LOG.info("Instances are plain processes: %s.", why)
    return ProcessRuntime(
        arguments.state, arguments.images, workspace_bound=arguments.workspace_bound, why=why
    )
