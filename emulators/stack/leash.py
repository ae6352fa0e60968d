"""Runs one command so that it never outlives who started it, whatever ends whom.

The supervisor holds the other end of a socket. The first line on it is the command's process id; when it
closes, or on SIGTERM, the command gets SIGTERM, a grace, then SIGKILL. As a subreaper the leash inherits
whatever the command leaves behind, daemonised or not, and kills that too. Uses the standard library alone and
starts in milliseconds.

    python -I -S leash.py SOCKET_FD GRACE_SECONDS COMMAND ...
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None)


def main(arguments: list[str]) -> int:
    """Runs the command to its end; its exit code, or 128 + the signal that ended it."""
    supervisor = socket.socket(fileno=int(arguments[0]))
    grace = float(arguments[1])
    wakeup, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    terminated: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            terminated.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, on_signal)
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    command = subprocess.Popen(arguments[2:], start_new_session=True, preexec_fn=_die_with_the_leash)
    supervisor.sendall(f"{command.pid}\n".encode())
    while command.poll() is None and not terminated:
        readable, _, _ = select.select([supervisor.fileno(), wakeup], [], [])
        if supervisor.fileno() in readable:
            break
        os.read(wakeup, 512)
    _end(command, grace)
    _kill_what_is_left(command.pid)
    return command.returncode if command.returncode >= 0 else 128 - command.returncode


def _die_with_the_leash() -> None:
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _control(option: int, value: int) -> None:
    if _LINUX:
        _LIBC.prctl(option, value, 0, 0, 0)


def _end(command: "subprocess.Popen[bytes]", grace: float) -> None:
    if command.poll() is None:
        command.terminate()
        try:
            command.wait(grace)
        except subprocess.TimeoutExpired:
            command.kill()
            command.wait()


def _kill_what_is_left(group: int) -> None:
    """Each kill makes the orphans of the killed our children, so repeating reaches the whole tree."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while (children := _children()) and time.monotonic() < deadline:
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        time.sleep(0.01)


def _children() -> list[int]:
    """Our direct children; none can be listed where there is no /proc, and the group kill has to do."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
