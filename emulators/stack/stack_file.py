"""How do other programs find a running local cloud? By one JSON file, there exactly as long as the cloud is.

It holds ID tokens, so only its owner may read it. Written whole or not at all.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from emulators.stack.component import StackError

_NOTHING = "No local cloud is running here. Start one with ./dev up"


def write(path: Path, content: dict[str, Any]) -> None:
    """Replaces the file in one step, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
    partial.replace(path)


def read(path: Path) -> dict[str, Any]:
    """What runs; raises StackError when nothing does. Takes away the file of a cloud that was killed."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise StackError(_NOTHING) from None
    if not is_running(path):
        remove(path)
        raise StackError(f"The last local cloud here was killed. {_NOTHING}")
    return content


def remove(path: Path) -> None:
    """Takes the file away; nothing runs any more."""
    path.unlink(missing_ok=True)


def is_running(path: Path) -> bool:
    """Whether a cloud lives: it holds its lock for exactly that long, however it ends."""
    try:
        with (path.with_suffix("") / "lock").open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
