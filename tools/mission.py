"""Which line of the mission is proven by which tests, and did they pass? Prints the whole table, gaps included.

A line is proven when a test that names it passed and none that names it failed. Reads the marks from the tests'
source, so that a test that did not run shows as unproven; a mark that names no line is an error.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.mission_plugin import results_path
from tools.venv import ROOT

CHECKLIST = ROOT / "docs" / "mission.md"
_LINE = re.compile(r"^- ([A-Z]+-\d{2}) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mark:
    """One test, or a whole class or module of them, that names lines."""

    test: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class Line:
    """A line of the checklist with how its tests ended."""

    name: str
    text: str
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        outcomes = set(self.outcomes.values())
        if "failed" in outcomes:
            return "FAILED"
        return "proven" if "passed" in outcomes else "unproven"


def read_lines(checklist: str) -> dict[str, Line]:
    """The lines of the checklist in their order."""
    return {name: Line(name, text) for name, text in _LINE.findall(checklist)}


def read_marks(source: str, path: str) -> Iterator[Mark]:
    """Every mission mark of a test module, with the test that it stands on."""
    tree = ast.parse(source, path)
    yield from _marks_in(tree, path)


def _marks_in(node: ast.AST, owner: str) -> Iterator[Mark]:
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from _marks_in(child, f"{owner}::{child.name}" if named else owner)  # type: ignore[attr-defined]
    if isinstance(node, ast.Call) and _is_mission(node.func):
        yield Mark(owner, tuple(argument.value for argument in node.args if _is_text(argument)))  # type: ignore[attr-defined]


def _is_mission(function: ast.expr) -> bool:
    """`pytest.mark.mission` or `mark.mission`."""
    if not isinstance(function, ast.Attribute) or function.attr != "mission":
        return False
    owner = function.value
    return getattr(owner, "attr", None) == "mark" or getattr(owner, "id", None) == "mark"


def _is_text(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) and isinstance(argument.value, str)


def outcome_of(test: str, results: dict[str, dict[str, str]]) -> str:
    """How a test ended over all its parameters, or the tests of a class or module over all of them."""
    outcomes = {
        result["outcome"]
        for name, result in results.items()
        if name == test or name.startswith((f"{test}::", f"{test}["))
    }
    if "failed" in outcomes:
        return "failed"
    return "passed" if "passed" in outcomes else "unproven"


def prove(lines: dict[str, Line], root: Path, results: dict[str, dict[str, str]]) -> list[str]:
    """Gives each line the outcomes of the tests under root that name it; returns the marks that name no line."""
    strangers = []
    for module in sorted((root / "tests").rglob("test_*.py")):
        for mark in read_marks(module.read_text(), module.relative_to(root).as_posix()):
            outcome = outcome_of(mark.test, results)
            strangers += [f"{mark.test} names {line}" for line in mark.lines if line not in lines]
            for line in set(mark.lines) & lines.keys():
                lines[line].outcomes[mark.test] = outcome
    return strangers


def report(lines: dict[str, Line]) -> str:
    """The table and its totals."""
    rows = []
    for line in lines.values():
        rows.append(f"{line.verdict:8}  {line.name:9}  {line.text}")
        rows += [f"{'':10}{outcome:9}  {test}" for test, outcome in sorted(line.outcomes.items())]
    verdicts = [line.verdict for line in lines.values()]
    totals = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in ("proven", "FAILED", "unproven"))
    return "\n".join([*rows, "", f"{len(lines)} lines: {totals}"])


def main() -> int:
    """Prints the table; 1 when a mark names no line of the checklist, or a line's test failed."""
    lines = read_lines(CHECKLIST.read_text())
    path = results_path()
    results = json.loads(path.read_text()) if path.exists() else {}
    strangers = prove(lines, ROOT, results)
    print(report(lines))
    if not path.exists():
        print("Nothing is proven before ./dev test has run.")
    for stranger in strangers:
        print(f"{stranger}, which is no line of docs/mission.md.", file=sys.stderr)
    return 1 if strangers or any(line.verdict == "FAILED" for line in lines.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
