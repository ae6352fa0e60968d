"""What a test needs of the machine: where it is missing, a named skip on a laptop and a failure in CI."""

import os
import shutil

import pytest

from tools.engine import why_no_engine


def lacks(why: str) -> None:
    """End the test that cannot be run here."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


def need_engine() -> None:
    """The machine's container engine."""
    if why := why_no_engine():
        lacks(why)


def need_program(name: str) -> None:
    """A program on the PATH."""
    if shutil.which(name) is None:
        lacks(f"there is no `{name}` on this machine's PATH")
