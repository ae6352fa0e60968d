"""The mission's table: which line is proven by what."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.mission import CHECKLIST, Line, outcome_of, prove, read_lines, read_marks, report
from tools.venv import ROOT

MARKED = """
import pytest
pytestmark = pytest.mark.mission("LIFE-01")

@pytest.mark.mission("LIFE-02", "LIFE-03")
def test_one(): ...

@pytest.mark.mission("WAKE-01")
class TestGroup:
    @pytest.mark.mission("COST-01")
    async def test_two(self): ...

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.mission("SEC-01"))])
def test_three(x): ...
"""


def test_the_checklist_has_every_line_once() -> None:
    lines = read_lines(CHECKLIST.read_text())

    assert len(lines) == 224
    assert {"LIFE-01", "CONF-21", "FUTURE-27"} <= lines.keys()


def test_marks_are_found_wherever_pytest_accepts_them() -> None:
    marks = {mark.test: mark.lines for mark in read_marks(MARKED, "tests/test_x.py")}

    assert marks == {
        "tests/test_x.py": ("LIFE-01",),
        "tests/test_x.py::test_one": ("LIFE-02", "LIFE-03"),
        "tests/test_x.py::TestGroup": ("WAKE-01",),
        "tests/test_x.py::TestGroup::test_two": ("COST-01",),
        "tests/test_x.py::test_three": ("SEC-01",),
    }


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        pytest.param({}, "unproven", id="never-run"),
        pytest.param({"t::a": "skipped"}, "unproven", id="skipped"),
        pytest.param({"t::a": "passed"}, "passed", id="passed"),
        pytest.param({"t::a[1]": "passed", "t::a[2]": "failed"}, "failed", id="one-parameter-failed"),
        pytest.param({"t::ab": "passed"}, "unproven", id="a-longer-name-is-another-test"),
    ],
)
def test_a_test_counts_by_how_it_ended(results: dict[str, str], outcome: str) -> None:
    assert outcome_of("t::a", {name: {"outcome": end} for name, end in results.items()}) == outcome


def test_a_failed_test_outweighs_passed_ones_and_unproven_lines_are_shown() -> None:
    lines = {name: Line(name, "text") for name in ("LIFE-01", "LIFE-02", "LIFE-03")}
    lines["LIFE-01"].outcomes = {"a": "passed", "b": "unproven"}
    lines["LIFE-02"].outcomes = {"a": "passed", "b": "failed"}

    table = report(lines)

    assert [lines[name].verdict for name in lines] == ["proven", "FAILED", "unproven"]
    assert "unproven  LIFE-03" in table
    assert table.endswith("3 lines: 1 proven, 1 FAILED, 1 unproven")


def test_a_mark_that_names_no_line_is_reported_with_its_test(tmp_path: Path) -> None:
    module = tmp_path / "tests" / "test_stray.py"
    module.parent.mkdir()
    module.write_text("import pytest\n@pytest.mark.mission('LIFE-99', 'LIFE-01')\ndef test_a(): ...\n")
    lines = {"LIFE-01": Line("LIFE-01", "text")}

    strangers = prove(lines, tmp_path, {"tests/test_stray.py::test_a": {"outcome": "passed"}})

    assert strangers == ["tests/test_stray.py::test_a names LIFE-99"]
    assert lines["LIFE-01"].verdict == "proven"


TRIO = """
import pytest
def test_passes(): ...
def test_fails(): assert False
def test_skips(): pytest.skip("no engine")
"""


def run_trio(tmp_path: Path, selection: str, **variables: str) -> tuple[int, dict[str, dict[str, str]]]:
    (tmp_path / "test_trio.py").write_text(TRIO)
    results = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tools.mission_plugin", "-k", selection, str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "DORMOUSE_TEST_RESULTS": str(results), **variables},
        capture_output=True,
    )
    content = json.loads(results.read_text())
    return done.returncode, {name.rpartition("::")[2]: result for name, result in content.items()}


def test_results_of_several_runs_are_merged(tmp_path: Path) -> None:
    run_trio(tmp_path, "passes")
    _, results = run_trio(tmp_path, "fails or skips")

    outcomes = {name: result["outcome"] for name, result in results.items()}
    assert outcomes == {"test_passes": "passed", "test_fails": "failed", "test_skips": "skipped"}
    assert results["test_skips"]["reason"] == "no engine"


def test_a_module_that_cannot_be_read_is_recorded_as_failed(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import no_such_module_of_ours\n")

    code, results = run_trio(tmp_path, "passes")

    assert code != 0
    assert results["test_broken.py"]["outcome"] == "failed"


def test_in_ci_a_skip_fails_the_run(tmp_path: Path) -> None:
    assert run_trio(tmp_path, "passes or skips")[0] == 0
    assert run_trio(tmp_path, "passes or skips", CI="true")[0] == 1
