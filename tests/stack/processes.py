"""Waiting for processes, and the command line of the local cloud as a test uses it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tools.venv import ROOT

SERVER = "import sys, http.server as h; h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(condition: Callable[[], object], what: str, seconds: float = 15) -> None:
    """Waits for a condition; fails naming what did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that waits for its parent to notice has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _as_from_a_terminal() -> None:
    """A run in the background ignores these, and what it starts would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class CommandLine:
    """`python -m emulators.stack` on a state of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.stack_file = state.with_name(state.name + ".json")
        self._running: list[subprocess.Popen[str]] = []

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._call(command, arguments), cwd=ROOT, text=True, capture_output=True, timeout=240
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """An `up` in the foreground, not waited for."""
        call = self._call("up", ("--free-ports", *arguments))
        process = subprocess.Popen(
            call,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_as_from_a_terminal,
        )
        self._running.append(process)
        return process

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
        self.run("down")

    def _call(self, command: str, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "emulators.stack", command, "--state", str(self.state), *arguments]
