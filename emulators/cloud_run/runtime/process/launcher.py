"""The first process of an instance: prepares its namespace and limits, runs the command, buries the dead.

It plays the part that PID 1 of a container has: it adopts daemonised children, so that they stay in the
instance's tree, and when the command ends it kills what is left and ends with the command's exit code.
It runs as a plain script (`python -I -S launcher.py`), imports the standard library only, reads its plan as
JSON from standard input and reports `{"pid": ...}` on standard output.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
PR_SET_CHILD_SUBREAPER = 36
MS_NOSUID = 2
MS_NODEV = 4
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
COMMAND_NOT_FOUND = 127


def main() -> int:
    """Run the plan; the exit code is the command's, 128 + n when signal n ended it."""
    plan = json.loads(sys.stdin.read())
    if plan.get("probe"):
        return 0 if mount_volumes([(plan["probe"], 1 << 20)]) else 1
    adopt_orphans()
    if plan["tmpfs"]:
        mount_volumes([(volume["path"], volume["bytes"]) for volume in plan["volumes"]])
    ignored = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in ignored:
        # Whoever stops the instance signals the command; the launcher stays to reap.
        signal.signal(number, signal.SIG_IGN)
    # A signal that comes before the command is ready for it stays pending, where an ignored one would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, ignored)
    child = os.fork()
    if child == 0:
        # Python itself ignores SIGPIPE; a command must not inherit that.
        for number in (*ignored, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)
        run(plan)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)
    # An emulator that was killed meanwhile hears nothing; its successor finds this process by its record.
    with suppress(BrokenPipeError):
        os.write(1, json.dumps({"pid": child}).encode() + b"\n")
    os.close(1)
    code = wait_for(child)
    bury_the_rest(child)
    return code


def adopt_orphans() -> None:
    """Become the parent of every daemonised descendant (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def mount_volumes(volumes: list[tuple[str, int]]) -> bool:
    """Mount a tmpfs of bounded size on each path, in a user and mount namespace of our own; False if forbidden."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        return False
    try:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{user} {user} 1")
        write("/proc/self/gid_map", f"{group} {group} 1")
    except OSError:
        return False
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return False
    for path, size in volumes:
        options = f"size={size},mode=0755".encode()
        if libc.mount(b"tmpfs", path.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options) != 0:
            return False
    return True


def write(path: str, text: str) -> None:
    """Write a file of /proc in one go, as the kernel asks."""
    with open(path, "w") as file:
        file.write(text)


def run(plan: dict[str, Any]) -> None:
    """Become the command: a session of its own, the log as output, no input, its limits."""
    os.setsid()
    log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    if plan["dataBytes"]:
        resource.setrlimit(resource.RLIMIT_DATA, (plan["dataBytes"], plan["dataBytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(plan["directory"])
    try:
        os.execvpe(plan["command"][0], plan["command"], plan["env"])  # noqa: S606 - this is its purpose
    except OSError as error:
        os.write(2, f"Cannot run {plan['command'][0]!r}: {error.strerror}.\n".encode())
        os._exit(COMMAND_NOT_FOUND)


def wait_for(child: int) -> int:
    """Reap whatever ends until the command itself has ended."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def bury_the_rest(group: int) -> None:
    """Kill and reap every process that the command left behind; its group is all we know of where /proc is missing."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while True:
        for pid in children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def children() -> list[int]:
    """All processes below this one."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                line = file.read()
                parents[int(name)] = int(line[line.rindex(b")") + 2 :].split()[1])
    found = {os.getpid()}
    grown = True
    while grown:
        fresh = {pid for pid, parent in parents.items() if parent in found} - found
        found |= fresh
        grown = bool(fresh)
    return sorted(found - {os.getpid()})


if __name__ == "__main__":
    sys.exit(main())
