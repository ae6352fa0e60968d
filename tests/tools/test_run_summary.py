"""What `./dev test` says at the end, and that it forgets no test."""

import json
from pathlib import Path

import pytest

from suite import running
from suite.parts import Part, directories
from suite.running import Done, run
from suite.summary import summary
from tools.venv import ROOT

RESULTS = {
    "tests/a.py::test_slow": {"outcome": "passed", "seconds": 9.0, "reason": ""},
    "tests/a.py::test_quick": {"outcome": "passed", "seconds": 0.1, "reason": ""},
    "tests/a.py::test_wrong": {"outcome": "failed", "seconds": 0.2, "reason": ""},
    "tests/a.py::test_left": {"outcome": "skipped", "seconds": 0.0, "reason": "no engine"},
}


def test_the_last_line_is_the_totals() -> None:
    said = summary([Done("check", True, 1.0, 60)], RESULTS).splitlines()

    assert said[-1] == "2 passed, 1 failed, 1 skipped"


def test_slow_tests_come_first_and_each_skip_has_its_reason() -> None:
    said = summary([], RESULTS).splitlines()

    assert said[said.index("Slowest tests") + 1].endswith("tests/a.py::test_slow")
    assert "  tests/a.py::test_left: no engine" in said


def test_every_part_has_its_time_and_a_failed_one_is_marked() -> None:
    said = summary([Done("check", True, 1.5, 60), Done("clouds", False, 20.0, 1200, "stopped")], {})

    assert "  ok         1.5 s of   60 s  check" in said
    assert "  FAILED    20.0 s of 1200 s  clouds, stopped" in said


def test_a_part_that_was_left_out_is_among_what_was_skipped() -> None:
    said = summary([Done("kills", True, 0, 60, "left out: no engine")], {}).splitlines()

    assert said[said.index("Skipped") + 1] == "  kills: left out: no engine"


def test_an_unsteady_test_is_named() -> None:
    results = {"tests/a.py::test_b": {"outcome": "passed", "seconds": 1.0, "reason": "", "unsteady": True}}
    said = summary([], results).splitlines()

    assert "  tests/a.py::test_b" in said[said.index("Skipped") + 2 :]


@pytest.mark.parametrize(("ci", "passed"), [("true", False), ("", True)])
def test_a_missing_component_fails_in_ci_alone(
    ci: str, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    done = run(Part("kills", 60, ("proof",), missing="no engine"), {})

    assert done.passed is passed
    assert done.said == "left out: no engine"


def test_a_part_that_uses_up_its_budget_is_stopped_and_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(60)\n")
    done = run(Part("endless", 0.5, ("endless",)), {"PYTHONPATH": str(tmp_path)})

    assert (done.passed, done.said) == (False, "stopped: over its budget")


ONCE = """
from pathlib import Path

def test_fails_the_first_time():
    mark = Path(__file__).with_name("mark")
    first = not mark.exists()
    mark.touch()
    assert not first
"""
NEVER = "def test_always_fails():\n    assert False\n"


@pytest.mark.parametrize(
    ("tests", "passed"),
    [
        ({"test_once.py": ONCE}, True),
        ({"test_never.py": NEVER}, False),
        ({"test_once.py": ONCE, "test_never.py": NEVER}, False),
    ],
)
def test_one_failed_test_is_looked_at_again_and_two_never(
    tests: dict[str, str], passed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "RUN_RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(running, "ROOT", tmp_path)
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['tools.mission_plugin']\n")
    for name, text in tests.items():
        (tmp_path / name).write_text(text)

    done = run(Part("part", 100, paths=sorted(tests), workers=0), {"PYTHONPATH": str(ROOT)})

    results = json.loads((tmp_path / "results.json").read_text())
    assert done.passed is passed
    assert passed is any("unsteady" in result for result in results.values())


def test_every_test_directory_is_in_exactly_one_part(tmp_path: Path) -> None:
    for name in (
        "domain/test_a.py",
        "emulators/cloud_run/test_b.py",
        "stack/test_c.py",
        "brand_new/test_d.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "test_loose.py").touch()
    (tmp_path / "no_tests").mkdir()

    parts = directories(tmp_path)

    named = {part: [path.name for path in paths] for part, paths in parts.items()}
    assert named == {
        "unit and contract": ["brand_new", "domain", "test_loose.py"],
        "emulators": ["emulators"],
        "whole clouds": ["stack"],
    }
