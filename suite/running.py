"""How is one part run: within its budget, with a second look at a test that failed beside others?"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from suite.parts import Part, in_ci
from tools.mission_plugin import merge
from tools.venv import ROOT, STATE

RUN_RESULTS = STATE / "run-results.json"
_SECOND_LOOK_SECONDS = 300
_TESTS_FAILED = 1


@dataclass(frozen=True, slots=True)
class Done:
    """A finished part; `said` is what there is to say beyond its outcome."""

    name: str
    passed: bool
    seconds: float
    budget: float
    said: str = ""


def run(part: Part, environment: Mapping[str, str]) -> Done:
    """Runs a part to its end, or to the end of its budget."""
    if part.missing:
        return Done(part.name, not in_ci(), 0, part.budget, f"left out: {part.missing}")
    print(f"\n== {part.name}", flush=True)
    started = time.monotonic()
    code = _execute(_module(part), part.budget, environment)
    if part.paths and code == _TESTS_FAILED:
        code = _look_again(part, environment)
    said = "stopped: over its budget" if code is None else ""
    return Done(part.name, code == 0, time.monotonic() - started, part.budget, said)


def run_alone(arguments: Sequence[str]) -> Done:
    """Runs pytest with a user's own arguments."""
    started = time.monotonic()
    code = _execute(("pytest", *arguments), None, {})
    return Done("tests", code == 0, time.monotonic() - started, 0)


def _module(part: Part) -> Sequence[str]:
    if not part.paths:
        return part.program
    return ("pytest", "-q", "-n", str(part.workers), "--runtime", part.runtime, *part.paths)


def _look_again(part: Part, environment: Mapping[str, str]) -> int | None:
    """A single test that failed beside others is run once more, alone; the summary names it either way.

    Two in one run are no chance any more.
    """
    results = json.loads(RUN_RESULTS.read_text())
    suspects = [
        name for name, result in results.items() if result["outcome"] == "failed" or "unsteady" in result
    ]
    if len(suspects) != 1 or "::" not in suspects[0]:
        return _TESTS_FAILED
    (name,) = suspects
    print(f"\n== once more, alone: {name}", flush=True)
    alone = replace(part, paths=[name.removesuffix(f"[{part.runtime}]")], workers=0)
    code = _execute(_module(alone), _SECOND_LOOK_SECONDS, environment)
    if code == 0:
        merge(RUN_RESULTS, {name: json.loads(RUN_RESULTS.read_text())[name] | {"unsteady": True}})
    return code


def _execute(module: Sequence[str], budget: float | None, environment: Mapping[str, str]) -> int | None:
    """The exit code; None when the budget was used up. Nothing of the program is left running."""
    variables = os.environ | environment | {"DORMOUSE_TEST_RESULTS": str(RUN_RESULTS)}
    command = (sys.executable, "-m", *module)
    process = subprocess.Popen(command, cwd=ROOT, env=variables, start_new_session=True)
    try:
        return process.wait(budget)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Not by SIGINT, which whoever was started in the background ignores. Local clouds end with who started them."""
    for number, patience in ((signal.SIGTERM, 60), (signal.SIGKILL, None)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
