"""Does every module keep to the house's size, and does its name say what it holds? Lists every offence.

Ruff cannot say these: the length of modules and functions, empty names, and a clock in the domain.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.venv import ROOT

MODULE_LINES = 350
FUNCTION_LINES = 45
EMPTY_NAMES = frozenset(
    {"util", "utils", "helper", "helpers", "manager", "common", "base", "misc", "data", "info"}
)
CLOCKS = frozenset({"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns", "time"})
_ROOTS = (
    "main.py",
    "shared",
    "functions",
    "emulators",
    "workstation",
    "tools",
    "suite",
    "demo",
    "proof",
    "tests",
    "bench",
)
_SAMPLES = "demo/project"


def modules(root: Path) -> Iterator[Path]:
    """Every module of ours; the demo's sample project is its user's."""
    for name in _ROOTS:
        start = root / name
        found = [start] if start.suffix == ".py" else sorted(start.rglob("*.py"))
        yield from (path for path in found if path.exists() and not path.is_relative_to(root / _SAMPLES))


def offences(path: Path, name: str) -> Iterator[str]:
    """What is wrong with one module, each with its place."""
    source = path.read_text()
    length = len(source.splitlines())
    if length > MODULE_LINES:
        yield f"{name}: {length} lines, at most {MODULE_LINES}: it holds more than one room; divide it"
    if path.stem in EMPTY_NAMES:
        yield f"{name}: the name '{path.stem}' says nothing; name what the module holds"
    tree = ast.parse(source, name)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _too_long(node, name)
        if name.startswith("shared/domain/") and isinstance(node, ast.Call):
            yield from _reads_a_clock(node, name)


def _too_long(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Iterator[str]:
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    if length > FUNCTION_LINES:
        yield f"{name}:{function.lineno}: {function.name} has {length} lines, at most {FUNCTION_LINES}"


def _reads_a_clock(call: ast.Call, name: str) -> Iterator[str]:
    """`datetime.now()` and its like under any import; the domain is told the time."""
    function = call.func
    read = (
        isinstance(function, ast.Attribute)
        and function.attr in CLOCKS
        and isinstance(function.value, ast.Name)
    )
    if read and function.value.id in {"datetime", "date", "time", "dt"}:  # type: ignore[attr-defined]
        yield f"{name}:{call.lineno}: reads a clock; the domain is told the time"


def main() -> int:
    """Prints every offence; 1 when there is one."""
    found = [
        offence for path in modules(ROOT) for offence in offences(path, path.relative_to(ROOT).as_posix())
    ]
    for offence in found:
        print(offence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
