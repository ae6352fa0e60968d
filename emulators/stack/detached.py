"""Starts a local cloud that outlives this command, and ends one that another command started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from emulators.stack import stack_file
from emulators.stack.component import StackError
from emulators.stack.options import Options
from emulators.stack.probe import last_lines

_UP_SECONDS = 300
_DOWN_SECONDS = 90
_READY = "Ready"


def up(options: Options, arguments: Sequence[str]) -> None:
    """Starts the same command in the background and returns once it is ready; raises StackError if it never is.

    What it says meanwhile goes to this terminal, afterwards to a log.
    """
    log = options.state.with_name(options.state.name + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "emulators.stack", *(a for a in arguments if a != "--detach")]
    with log.open("wb") as output:
        cloud = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _follow(cloud, log)
    except KeyboardInterrupt:
        cloud.terminate()
        cloud.wait()
        raise


def down(path: Path) -> None:
    """Ends the cloud of this stack file and returns when it is gone; raises StackError when it does not go."""
    supervisor = int(stack_file.read(path)["pids"]["supervisor"])
    with contextlib.suppress(ProcessLookupError):
        os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_SECONDS
    while stack_file.is_running(path):
        if time.monotonic() > deadline:
            raise StackError(f"Process {supervisor} has not ended in {_DOWN_SECONDS} s; end it with kill -9.")
        time.sleep(0.1)


def _follow(cloud: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _UP_SECONDS
    with log.open(errors="replace") as said:
        while True:
            ended = cloud.poll() is not None
            text = said.read()
            print(text, end="", flush=True)
            if any(line.startswith(_READY) for line in text.splitlines()):
                return
            if ended:
                raise StackError(f"The local cloud ended with {cloud.returncode}.")
            if time.monotonic() > deadline:
                cloud.terminate()
                raise StackError(f"Not ready in {_UP_SECONDS} s. {log} ends with:\n{last_lines(log)}")
            time.sleep(0.1)
