"""How is the story told? One block for each step: when it began, what was done, what was seen, the bill so far.

Plain text; colours only where a person looks at a terminal.
"""

import os
import textwrap
import time
from collections.abc import Sequence
from typing import TextIO

WIDTH = 110
INDENT = " " * 10
_BOLD, _GREEN, _RED, _DIM = "1", "32", "31", "2"


class Transcript:
    """Writes as things happen; the time is counted from its making."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = time.monotonic()
        self._colours = out.isatty() and "NO_COLOR" not in os.environ

    def title(self, text: str) -> None:
        """What this is, and how long it will take."""
        self._write(textwrap.fill(text, WIDTH, break_on_hyphens=False))

    def step(self, number: int, title: str) -> None:
        """A step begins."""
        self._write(self._coloured(_BOLD, f"\n{self.elapsed:6.1f} s  {number:2}. {title}"))

    def did(self, text: str) -> None:
        """What the story did, as the user."""
        self._entry("did", text)

    def saw(self, text: str) -> None:
        """What was observed."""
        self._entry("saw", text, _GREEN)

    def output(self, line: str) -> None:
        """A line that a program printed."""
        self._write(self._coloured(_DIM, f"{INDENT}     | {line}".rstrip()))

    def bill(self, text: str) -> None:
        """What the user has spent so far."""
        self._entry("bill", text, _DIM)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Columns, the first row above them, numbers to the right."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
            self._write(f"{INDENT}     {'  '.join(cells)}")

    def failed(self, title: str, expected: str, seen: str, log: str) -> None:
        """The step that ends the story, and where to look next."""
        self._write(self._coloured(_RED, f"\nFAILED in step '{title}' after {self.elapsed:.1f} s"))
        for word, text in (("expected", expected), ("saw", seen), ("log", log)):
            self._write(f"  {word:8}  {text}")

    def note(self, text: str) -> None:
        """A word beside the story."""
        self._write(self._coloured(_DIM, text))

    @property
    def elapsed(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._began

    def _entry(self, word: str, text: str, colour: str = "") -> None:
        label = self._coloured(colour, f"{word:4}") if colour else f"{word:4}"
        width = WIDTH - len(INDENT) - 5
        # Names of objects and addresses stay whole, so that they can be copied.
        body = textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False) or [""]
        self._write(f"{INDENT}{label} {body[0]}")
        for line in body[1:]:
            self._write(f"{INDENT}     {line}")

    def _coloured(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text

    def _write(self, text: str) -> None:
        print(text, file=self._out, flush=True)
