"""Small real processes to supervise, and the command line of the local cloud."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulators.stack.component import Component
from tests.stack.processes import SERVER, CommandLine, free_port


@pytest.fixture
def component(tmp_path: Path) -> Callable[..., Component]:
    """Makes a component of a small web server, or of whatever program is given; its argument is the port."""

    def make(name: str = "web", program: str = SERVER, **changes: object) -> Component:
        port = free_port()
        fields: dict[str, object] = {
            "name": name,
            "address": f"http://127.0.0.1:{port}",
            "ready": f"http://127.0.0.1:{port}/",
            "command": (sys.executable, "-c", program, str(port)),
            "environment": {},
            "directory": tmp_path,
            "log": tmp_path / "logs" / f"{name}.log",
            "start_seconds": 10,
            "grace_seconds": 2,
        }
        return Component(**(fields | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def command_line(tmp_path: Path) -> Iterator[CommandLine]:
    line = CommandLine(tmp_path / "stack")
    yield line
    line.end()
