"""The log: one JSON line for each thing, and nothing that an operator would miss."""

import json
import subprocess
import sys

FAILING = """
from shared.log import configure, logger
configure()
try:
    {}["what was missing"]
except KeyError:
    logger().exception("unexpected error", path="x" * 5000)
"""


def test_an_unexpected_error_is_one_line_with_its_traceback() -> None:
    """The answer to the user holds none of it, so this is the only place where it can be found."""
    ran = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, check=True)

    [line] = ran.stdout.splitlines()
    logged = json.loads(line)
    assert (logged["severity"], logged["message"]) == ("ERROR", "unexpected error")
    assert logged["exception"].endswith("KeyError: 'what was missing'")
    assert len(logged["path"]) < 2000
