"""The local cloud's command line; ./dev calls it.

python -m emulators.stack up | down | status | token UID
"""

import contextlib
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from emulators.stack import arguments, detached, stack_file
from emulators.stack.auth import DEMO_USERS, id_token, user
from emulators.stack.cloud import LocalCloud
from emulators.stack.component import StackError
from emulators.stack.console import runtime_line, table, workstation_line
from emulators.stack.demo_workstation import Client, bring_up
from emulators.stack.options import Options
from emulators.stack.probe import answers


def main() -> int:
    """Runs one command; 0 when it did what it was asked, 130 when it was interrupted."""
    given = sys.argv[1:]
    parsed = arguments.parser().parse_args(given)
    path = Options(state=parsed.state.absolute()).stack_file
    try:
        if parsed.command == "up":
            options = arguments.options(parsed)
            return detached_up(options, given) if parsed.detach else up(options)
        if parsed.command == "down":
            return down(path)
        return status(path) if parsed.command == "status" else token(path, parsed.uid)
    except StackError as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def up(options: Options) -> int:
    """Runs the cloud until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)
    started = time.monotonic()
    cloud = LocalCloud(options, say=_say)
    try:
        cloud.start()
        content = cloud.description()
        _say(table(content["components"]))
        if content["runtime"]:
            _say(runtime_line(content["runtime"]))
        if options.workstation:
            client = Client(cloud.endpoints["api"], cloud.id_token(DEMO_USERS[0].uid))
            _say(workstation_line(bring_up(client), cloud.endpoints["gateway"]))
        _say(
            f"Ready in {time.monotonic() - started:.1f} s: {options.stack_file}. Ctrl-C or ./dev down ends it."
        )
        threading.Event().wait()
    except KeyboardInterrupt:
        _say("Stopping ...")
        # A second Ctrl-C ends this process at once; the children then end by themselves, with nothing saved.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    finally:
        cloud.stop()
    _say("Stopped.")
    return 0


def detached_up(options: Options, given: list[str]) -> int:
    """Starts the cloud in the background; content when it runs already."""
    path = options.stack_file
    # The file of a cloud that was killed is no reason not to start one.
    if path.exists() and stack_file.is_running(path) and status(path) == 0:
        return 0
    detached.up(options, given)
    return 0


def down(path: Path) -> int:
    """Ends the running cloud."""
    if not path.exists():
        _say("No local cloud is running.")
        return 0
    detached.down(path)
    _say("Stopped.")
    return 0


def status(path: Path) -> int:
    """Prints what runs and how it is; 1 when something does not answer."""
    content = stack_file.read(path)
    parts = content["components"]
    health = {name: "ok" if answers(part["ready"]) else "does not answer" for name, part in parts.items()}
    _say(table(parts, health))
    return 0 if set(health.values()) <= {"ok"} else 1


def token(path: Path, uid: str) -> int:
    """Prints a fresh ID token of the user, and nothing else."""
    content = stack_file.read(path)
    _say(id_token(content["endpoints"]["auth"] if content["authEmulator"] else None, user(uid)))
    return 0


def _say(text: str) -> None:
    # A closed terminal must not keep the cloud from ending well.
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
