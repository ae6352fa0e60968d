"""`python -m emulators.cloud_run`: the Cloud Run emulator as a program of its own."""

from __future__ import annotations

import asyncio
import logging
import sys

from emulators.cloud_run.arguments import parse
from emulators.cloud_run.reconciliation import NoAddress
from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.cloud_run.runtime.open_files import raise_limit
from emulators.cloud_run.server import serve
from emulators.cloud_run.store import StateInUse
from emulators.faults.rule import BadRule
from emulators.rpc.grpc_server import PortTaken


def main() -> None:
    """Read the command line and serve until told to stop."""
    arguments = parse()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    raise_limit()
    try:
        asyncio.run(serve(arguments))
    except (StateInUse, NoAddress, PortTaken, BadRule, RuntimeFailure) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
