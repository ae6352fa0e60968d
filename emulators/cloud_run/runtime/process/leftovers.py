"""What did a killed emulator leave running? Process trees by recorded pid and start time, so that no stranger is hit."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import suppress
from pathlib import Path

import psutil

from emulators.cloud_run.runtime.process import tree

RECORD = "process.json"
_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.02


def write_record(path: Path, pid: int) -> None:
    """Remember a launcher by its pid and start time."""
    with suppress(psutil.NoSuchProcess):
        path.write_text(json.dumps({"pid": pid, "startTime": psutil.Process(pid).create_time()}))


def kill_leftovers(instances: Path) -> int:
    """Kill every recorded tree that is still the same process, and empty the directory; returns how many."""
    killed = 0
    for record in instances.glob(f"*/{RECORD}"):
        process = _recorded(record)
        if process is not None:
            _end(process)
            killed += 1
    shutil.rmtree(instances, ignore_errors=True)
    return killed


def _recorded(record: Path) -> psutil.Process | None:
    try:
        facts = json.loads(record.read_text())
        process = psutil.Process(facts["pid"])
        return process if process.create_time() == facts["startTime"] else None
    except (psutil.NoSuchProcess, ValueError, KeyError):
        return None


def _end(launcher: psutil.Process) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while launcher.is_running() and launcher.status() != psutil.STATUS_ZOMBIE:
        tree.kill(launcher.pid)
        if time.monotonic() > deadline:
            launcher.kill()
            return
        with suppress(psutil.TimeoutExpired):
            launcher.wait(_POLL_SECONDS)
