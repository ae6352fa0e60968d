"""What do the conformance checks claim, and on which word of Google's does each claim rest?

python -m tools.conformance            fails where the pages do not say what the checks say
python -m tools.conformance --write    writes docs/emulators/conformance.md and the list in docs/assumptions.md
"""

import importlib
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

from tools.venv import ROOT

FEWEST = 150
CHECKS = ROOT / "tests" / "conformance"
PAGE = ROOT / "docs" / "emulators" / "conformance.md"
ASSUMPTIONS = ROOT / "docs" / "assumptions.md"
BEGIN, END = "<!-- assumed checks: begin -->", "<!-- assumed checks: end -->"
_NAME = re.compile(r"[A-Z]{2,5}-\d{3}")
_GENERATED = "Written by `python -m tools.conformance --write` from the checks themselves."


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """One check: `name` as in `RUN-012`, what it claims, where that is said; `place` is its test, for an offence."""

    emulator: str
    name: str
    claim: str
    source: str
    assumed: bool
    place: str


def claims(directory: Path = CHECKS) -> list[Claim]:
    """Every check, by emulator and name; a module that cannot be imported raises what it raises."""
    return sorted(found for path in directory.rglob("test_*.py") for found in _in_module(path))


def offences(found: Sequence[Claim]) -> Iterator[str]:
    """What is wrong with single checks: a name that is no name or is another's too, no claim, no source."""
    uses = Counter(claim.name for claim in found)
    for claim in found:
        at = f"{claim.place} ({claim.name})"
        if not _NAME.fullmatch(claim.name):
            yield f"{at}: a check is named like RUN-012"
        if uses[claim.name] > 1:
            yield f"{at}: {uses[claim.name]} checks have this name"
        if not claim.claim:
            yield f"{at}: its docstring must say what is claimed"
        if not claim.source.strip():
            yield f"{at}: it names no source"


def page(found: Sequence[Claim]) -> str:
    """The list of all checks, as Markdown."""
    assumed = sum(claim.assumed for claim in found)
    text = [
        "# What the emulators are held to",
        "",
        f"{_GENERATED}",
        f"{len(found)} checks, run with the stock clients; {assumed} of them rest on belief",
        "and are marked so here and in [assumptions.md](../assumptions.md).",
        "`pytest tests/conformance --real-project PROJECT` puts the same questions to Google.",
    ]
    for emulator in sorted({claim.emulator for claim in found}):
        text += ["", f"## {emulator}", "", "| check | claim | source |", "|---|---|---|"]
        marks = ((claim, " (assumed)" if claim.assumed else "") for claim in found)
        text += [_row(claim, mark) for claim, mark in marks if claim.emulator == emulator]
    return "\n".join(text) + "\n"


def with_assumed(text: str, found: Sequence[Claim]) -> str:
    """The page of assumptions, with its generated section as the checks have it; appended where there is none."""
    rows = [_row(claim, "") for claim in found if claim.assumed]
    table = ["", _GENERATED, "", "| check | belief | why it is one |", "|---|---|---|", *rows, ""]
    section = "\n".join([BEGIN, *table, END])
    if BEGIN not in text:
        return f"{text.rstrip()}\n\n## Of the emulators\n{section}\n"
    head, _, rest = text.partition(BEGIN)
    return head + section + rest.partition(END)[2]


def _row(claim: Claim, mark: str) -> str:
    return f"| {claim.name}{mark} | {_cell(claim.claim)} | {_cell(claim.source)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _in_module(path: Path) -> Iterator[Claim]:
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    above = path.relative_to(CHECKS).parts[:-1]
    emulator = above[0].replace("_", " ").title() if above else "All"
    for test in _tests(module):
        for mark in getattr(test, "pytestmark", ()):
            if mark.name == "conformance":
                claim = " ".join((inspect.getdoc(test) or "").split())
                place = f"{path.relative_to(ROOT)}::{test.__name__}"
                said = mark.kwargs
                yield Claim(emulator, said["name"], claim, said["source"], said["assumed"], place)


def _tests(module: ModuleType) -> Iterator[FunctionType]:
    """The test functions that the module itself defines, also those of its classes."""
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            yield from (test for test in vars(value).values() if inspect.isfunction(test))
        elif inspect.isfunction(value):
            yield value


def main() -> int:
    """Writes the pages, or prints every offence and every page that is out of date; 1 when there is one."""
    sys.path.insert(0, str(ROOT))
    found = claims()
    if wrong := list(offences(found)):
        print("\n".join(wrong))
        return 1
    wanted = {PAGE: page(found), ASSUMPTIONS: with_assumed(ASSUMPTIONS.read_text(), found)}
    if "--write" in sys.argv[1:]:
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return 0
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(
            f"{path.relative_to(ROOT)} is not what the checks say. Run: python -m tools.conformance --write"
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
