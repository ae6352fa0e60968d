"""`tools.modules` finds what it is there to find, and only that."""

from pathlib import Path

import pytest

from tools.modules import FUNCTION_LINES, MODULE_LINES, modules, offences


def found(tmp_path: Path, source: str, name: str = "shared/rooms.py") -> list[str]:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return list(offences(path, name))


def function_of(lines: int) -> str:
    return "def long():\n" + "    x = 1\n" * (lines - 1)


def test_a_module_at_the_limit_passes_and_one_line_more_does_not(tmp_path: Path) -> None:
    assert found(tmp_path, "x = 1\n" * MODULE_LINES) == []
    assert "351 lines" in found(tmp_path, "x = 1\n" * (MODULE_LINES + 1))[0]


def test_a_function_at_the_limit_passes_and_one_line_more_does_not(tmp_path: Path) -> None:
    assert found(tmp_path, function_of(FUNCTION_LINES)) == []
    assert "long has 46 lines" in found(tmp_path, function_of(FUNCTION_LINES + 1))[0]


@pytest.mark.parametrize("stem", ["utils", "helpers", "manager", "common", "base", "misc"])
def test_an_empty_name_is_refused(tmp_path: Path, stem: str) -> None:
    assert stem in found(tmp_path, "", f"shared/{stem}.py")[0]


def test_a_clock_in_the_domain_is_found_and_elsewhere_allowed(tmp_path: Path) -> None:
    source = "from datetime import datetime, UTC\nNOW = datetime.now(UTC)\n"

    assert "shared/domain/clock.py:2" in found(tmp_path, source, "shared/domain/clock.py")[0]
    assert found(tmp_path, source, "shared/adapters/clock.py") == []


def test_every_offence_of_a_module_is_listed(tmp_path: Path) -> None:
    assert len(found(tmp_path, function_of(400), "shared/utils.py")) == 3


def test_the_demos_sample_project_is_not_ours(tmp_path: Path) -> None:
    for name in ("demo/project/utils.py", "demo/story.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert [path.name for path in modules(tmp_path)] == ["story.py"]
