"""Every check and test, in the order in which a failure is cheapest to learn of, with the time of each part.

    ./dev test                       everything
    ./dev test tests/tools -k name   what pytest understands, and nothing else

One Firestore emulator serves the whole run; each test uses a project id of its own.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from emulators.stack import LocalCloud, Options, StackError
from tools import check
from tools.mission_plugin import RESULTS, merge
from tools.template import build
from tools.venv import ROOT, STATE, SetupFailed

Results = Mapping[str, Mapping[str, Any]]

_TESTS = ROOT / "tests"
_RUN_RESULTS = STATE / "run-results.json"
_SLOWEST = 10
# What is in no other part belongs to the first, so that no test can be forgotten here.
PARTS: Mapping[str, frozenset[str]] = {
    "unit and contract": frozenset(),
    "emulators": frozenset({"emulators", "cloud_run", "identity", "cloud_storage", "cloud_scheduler"}),
    "agent": frozenset({"agent"}),
    "functions": frozenset({"functions", "gateway"}),
    "tools": frozenset({"tools"}),
    "stack": frozenset({"stack", "journeys", "demo", "docs"}),
}
# Whole clouds on two cores: side by side they would measure each other.
_ALONE = frozenset({"stack"})


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part of the run."""

    name: str
    passed: bool
    seconds: float


def directories(tests: Path) -> dict[str, list[Path]]:
    """The test directories, and modules beside them, of each part; parts without one are left out."""
    present = sorted({tests / module.relative_to(tests).parts[0] for module in tests.rglob("test_*.py")})
    claimed = frozenset[str]().union(*PARTS.values())
    chosen = {
        part: [path for path in present if path.name in names or (not names and path.name not in claimed)]
        for part, names in PARTS.items()
    }
    return {part: paths for part, paths in chosen.items() if paths}


def main() -> int:
    """Runs what was asked for; 0 only when every part passed."""
    STATE.mkdir(exist_ok=True)
    _RUN_RESULTS.unlink(missing_ok=True)
    if arguments := sys.argv[1:]:
        parts = [_timed("tests", partial(_pytest, arguments, {}))]
    else:
        RESULTS.unlink(missing_ok=True)
        parts = _everything()
    results: Results = json.loads(_RUN_RESULTS.read_text()) if _RUN_RESULTS.exists() else {}
    merge(RESULTS, {name: dict(result) for name, result in results.items()})
    print(summary(parts, results), flush=True)
    return 0 if all(part.passed for part in parts) else 1


def summary(parts: list[Part], results: Results) -> str:
    """The slowest tests, what was skipped and why, the time of each part, and one line of totals."""
    slowest = sorted(results.items(), key=lambda item: -float(item[1]["seconds"]))[:_SLOWEST]
    outcomes = [result["outcome"] for result in results.values()]
    skipped = [
        f"  {name}: {result['reason']}" for name, result in results.items() if result["outcome"] == "skipped"
    ]
    lines = ["", "Slowest tests"]
    lines += [f"  {result['seconds']:6.1f} s  {name}" for name, result in slowest]
    lines += ["", "Skipped", *(skipped or ["  nothing"])]
    lines += ["", "Parts"]
    lines += [
        f"  {'ok' if part.passed else 'FAILED':6}  {part.seconds:6.1f} s  {part.name}" for part in parts
    ]
    counts = {kind: outcomes.count(kind) for kind in ("passed", "failed", "skipped")}
    lines += ["", f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"]
    return "\n".join(lines)


def _everything() -> list[Part]:
    parts = [_timed("check", lambda: check.main() == 0)]
    parts.append(_timed("template", _build_template))
    started = time.monotonic()
    options = Options(
        state=STATE / "test-firestore", only=frozenset({"firestore"}), any_free_ports=True, ephemeral=True
    )
    try:
        with LocalCloud(options) as cloud:
            parts.append(Part("Firestore emulator", True, time.monotonic() - started))
            parts += _all_tests({"FIRESTORE_EMULATOR_HOST": cloud.addresses.host("firestore")})
    except StackError as failure:
        print(failure, flush=True)
        parts.append(Part("Firestore emulator", False, time.monotonic() - started))
    return parts


def _all_tests(environment: Mapping[str, str]) -> list[Part]:
    parts = []
    for name, paths in directories(_TESTS).items():
        print(f"\n== {name}", flush=True)
        workers = ["-n", "0" if name in _ALONE else "2"]
        arguments = [*workers, "-q", *(str(path.relative_to(ROOT)) for path in paths)]
        parts.append(_timed(name, partial(_pytest, arguments, environment)))
    return parts


def _timed(name: str, work: Callable[[], bool]) -> Part:
    started = time.monotonic()
    return Part(name, work(), time.monotonic() - started)


def _pytest(arguments: list[str], environment: Mapping[str, str]) -> bool:
    variables = os.environ | environment | {"DORMOUSE_TEST_RESULTS": str(_RUN_RESULTS)}
    return (
        subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=variables).returncode == 0
    )


def _build_template() -> bool:
    try:
        build()
    except SetupFailed as failure:
        print(failure, flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
