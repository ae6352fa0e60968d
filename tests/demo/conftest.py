"""`python -m demo.story` as a person starts it, read line by line while it runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.stack import LocalCloud, Options
from tools.venv import ROOT


class Telling:
    """A story that is being told by a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.lines: list[str] = []
        environment = {
            name: value for name, value in os.environ.items() if not name.endswith("EMULATOR_HOST")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo.story", *arguments],
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def until(self, words: str) -> None:
        """Reads on until a line has these words; fails when the story ends without."""
        for line in self._read():
            if words in line:
                return
        pytest.fail(f"the story never came to '{words}':\n{self.text}")

    def end(self) -> int:
        """Reads to the end; the exit code."""
        for _ in self._read():
            pass
        return self.process.wait(30)

    def _read(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            yield line


@pytest.fixture
def tell() -> Iterator[type[Telling]]:
    """Starts a story; whatever still runs at the end is stopped as by Ctrl-C."""
    told: list[Telling] = []

    class Kept(Telling):
        def __init__(self, *arguments: str) -> None:
            super().__init__(*arguments)
            told.append(self)

    yield Kept
    for telling in told:
        if telling.process.poll() is None:
            telling.process.terminate()
            telling.end()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, runtime: str) -> Iterator[LocalCloud]:
    """A local cloud that runs already, with a quick sweep and little patience for a start that fails."""
    options = Options(
        state=tmp_path_factory.mktemp("demo") / "stack",
        settings={"AUTO_IDLE_MINUTES": "0.1", "CONTAINER_STARTUP_TIMEOUT": "8"},
        minute_seconds=2,
        workstation=False,
        ephemeral=True,
        any_free_ports=True,
        runtime=runtime,
    )
    with LocalCloud(options, say=lambda _: None) as cloud:
        yield cloud


@pytest.fixture
def sample() -> Path:
    """The project that the story works on."""
    return ROOT / "demo" / "project"
