"""A pytest plugin that records how each test ended, and which checklist lines it proves.

Results of several runs are merged by test into one file, so that `./dev mission` knows the last word on each.
With CI set a skipped test fails the run: there nothing may be left unproven in silence.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tools.venv import STATE, locked

RESULTS = STATE / "test-results.json"
_PATH_VARIABLE = "DORMOUSE_TEST_RESULTS"
_WORST_FIRST = ("failed", "skipped", "passed")
RUNTIMES = ("process", "docker")
DEFAULT_RUNTIME = RUNTIMES[0]
_EMULATOR_ONLY = "emulator_only: needs the emulator's clock, faults or meter; skipped with --real-project"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What is different from run to run: what workstations run on, and whom the conformance checks ask."""
    add = parser.addoption
    whole_clouds = "what workstations run on in the tests that start a whole local cloud"
    add("--runtime", choices=RUNTIMES, default=DEFAULT_RUNTIME, help=whole_clouds)
    add("--real-project", metavar="PROJECT", help="run tests/conformance against this project at Google")
    add("--real-location", metavar="REGION", default="europe-west1", help="where, with --real-project")


def results_path() -> Path:
    """Where results are kept; a run of its own can ask for another place."""
    return Path(os.environ.get(_PATH_VARIABLE) or RESULTS)


class Recorder:
    """Collects the reports of one run; in the controller only, which sees those of all workers."""

    def __init__(self, runtime: str) -> None:
        # A test that ran on both runtimes is two results; the name reads like one more parameter.
        self._suffix = "" if runtime == DEFAULT_RUNTIME else f"[{runtime}]"
        self.results: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps the worst of a test's three phases and the sum of their times."""
        known = self.results.setdefault(
            report.nodeid + self._suffix, {"outcome": report.outcome, "seconds": 0.0, "reason": ""}
        )
        known["outcome"] = min(known["outcome"], report.outcome, key=_WORST_FIRST.index)
        known["seconds"] = round(known["seconds"] + report.duration, 3)
        if report.skipped and isinstance(report.longrepr, tuple):
            known["reason"] = report.longrepr[2].removeprefix("Skipped: ")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be read counts as a failed test, not as none."""
        if report.failed:
            self.results[report.nodeid + self._suffix] = {
                "outcome": "failed",
                "seconds": 0.0,
                "reason": "cannot be collected",
            }

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes the results, and fails a run in CI that skipped something."""
        merge(results_path(), self.results)
        skipped = [result for result in self.results.values() if result["outcome"] == "skipped"]
        if skipped and os.environ.get("CI") == "true" and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def merge(path: Path, results: dict[str, dict[str, Any]]) -> None:
    """Adds the results to those in the file, replacing the older word on the same test."""
    with locked(path.parent):
        known = json.loads(path.read_text()) if path.exists() else {}
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(known | results, indent=1, sort_keys=True))
        partial.replace(path)


def pytest_configure(config: pytest.Config) -> None:
    """Records in the controller, or in the only process; a worker's reports reach the controller."""
    config.addinivalue_line("markers", _EMULATOR_ONLY)
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(Recorder(config.getoption("runtime")), "dormouse-results")
