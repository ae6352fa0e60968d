"""How is a container thawed that its engine cannot thaw? By the kernel's own switch, which takes root.

An engine that pauses a container in the moment in which it starts the image's health check there waits for that check,
which is frozen, before it can unpause: a deadlock that ends with the check's time limit (30 s by default).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def switch(pid: int, *, frozen: bool) -> None:
    """Stop the process's cgroup or let it go on; nothing happens where we may not, or it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            with suppress(OSError):
                _write(controllers, path.lstrip("/"), frozen=frozen)


def _write(controllers: str, path: str, *, frozen: bool) -> None:
    if controllers == "freezer":
        (_CGROUPS / "freezer" / path / "freezer.state").write_text("FROZEN" if frozen else "THAWED")
    elif not controllers and (file := _CGROUPS / path / "cgroup.freeze").exists():
        file.write_text("1" if frozen else "0")
