"""What `./dev test` says at the end, and that it forgets no test."""

from pathlib import Path

from tools.suite import Part, directories, summary

RESULTS = {
    "tests/a.py::test_slow": {"outcome": "passed", "seconds": 9.0, "reason": ""},
    "tests/a.py::test_quick": {"outcome": "passed", "seconds": 0.1, "reason": ""},
    "tests/a.py::test_wrong": {"outcome": "failed", "seconds": 0.2, "reason": ""},
    "tests/a.py::test_left": {"outcome": "skipped", "seconds": 0.0, "reason": "no engine"},
}


def test_the_last_line_is_the_totals() -> None:
    said = summary([Part("check", True, 1.0)], RESULTS).splitlines()

    assert said[-1] == "2 passed, 1 failed, 1 skipped"


def test_slow_tests_come_first_and_each_skip_has_its_reason() -> None:
    said = summary([], RESULTS).splitlines()

    assert said[said.index("Slowest tests") + 1].endswith("tests/a.py::test_slow")
    assert "  tests/a.py::test_left: no engine" in said


def test_every_part_has_its_time_and_a_failed_one_is_marked() -> None:
    said = summary([Part("check", True, 1.5), Part("stack", False, 20.0)], {})

    assert "ok         1.5 s  check" in said
    assert "FAILED    20.0 s  stack" in said


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
        "stack": ["stack"],
    }
