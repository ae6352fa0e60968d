"""Start the Cloud Scheduler emulator: ``python -m emulators.cloud_scheduler --help``."""

import sys

from emulators.cloud_scheduler.application import application
from emulators.cloud_scheduler.arguments import parse
from emulators.cloud_scheduler.store import StateInUse, locked
from emulators.serving import serve


def main() -> None:
    """Serve until SIGTERM."""
    arguments = parse()
    if arguments.state is None:
        serve("cloud_scheduler", {arguments.port: application(arguments)})
        return
    try:
        with locked(arguments.state):
            serve("cloud_scheduler", {arguments.port: application(arguments)})
    except StateInUse as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
